"""Submits one achievement, prints its receipt and the balance: python submit.py [HOST:PORT] [ECTS]"""

import sys

import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from creditbank.v1 import account_service_pb2 as account
from creditbank.v1 import account_service_pb2_grpc, record_service_pb2_grpc
from creditbank.v1 import record_service_pb2 as record
from creditbank.v1 import types_pb2 as types

server, amount = (sys.argv[1:] + ["127.0.0.1:7410", "3"][len(sys.argv) - 1 :])[:2]
call = {"metadata": [("creditbank-identity", "institution:my-school")], "timeout": 10}
learner = types.LearnerReference(student=types.StudentNumber(number="S-1"))
achievement = types.Achievement(
    record_id="PY-1", learner=learner, type="Course", code="MATH-1", awarded="2025-06-30",
    titles=[types.Text(value="Mathematics", language="en")], size=types.Size(amount=amount, unit="ects"),
)

channel = grpc.insecure_channel(server)
records = record_service_pb2_grpc.RecordServiceStub(channel)
accounts = account_service_pb2_grpc.AccountServiceStub(channel)
try:
    # Sending it again is safe: the record id makes it the same record, and the receipt is the first one.
    outcome = records.SubmitRecord(record.SubmitRecordRequest(achievement=achievement), **call).outcome
    print(record.OutcomeState.Name(outcome.state), "at position", outcome.receipt.position)
    # Asks for a state of the ledger that has the record in it.
    as_of = types.AsOf(at_least=outcome.receipt.position + 1)
    balance = accounts.GetBalance(account.GetBalanceRequest(learner=learner, as_of=as_of), **call)
    print("balance", ", ".join(f"{total.amount} {total.unit}" for total in balance.totals))
except grpc.RpcError as error:
    status, info = rpc_status.from_call(error), error_details_pb2.ErrorInfo()
    known = status is not None and any(detail.Unpack(info) for detail in status.details)
    sys.exit(f"{info.reason if known else error.code().name}: {error.details()}")
