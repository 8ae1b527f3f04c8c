// Submits one achievement, prints its receipt and the balance: npm start [URL] [grpc|web] [ECTS]

import { Code, ConnectError, createClient, type Interceptor } from "@connectrpc/connect";
import { createGrpcTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import { AccountService } from "./gen/creditbank/v1/account_service_pb.js";
import { OutcomeState, RecordService } from "./gen/creditbank/v1/record_service_pb.js";
import { ErrorInfoSchema } from "./gen/google/rpc/error_details_pb.js";

const [baseUrl = "http://127.0.0.1:7410", protocol = "grpc", amount = "3"] = process.argv.slice(2);
const identity: Interceptor = (next) => (request) => {
  request.header.set("creditbank-identity", "institution:my-school");
  return next(request);
};
const options = { baseUrl, interceptors: [identity], defaultTimeoutMs: 10_000 };
// In a page: createGrpcWebTransport of @connectrpc/connect-web, without httpVersion.
const transport =
  protocol === "web" ? createGrpcWebTransport({ ...options, httpVersion: "1.1" }) : createGrpcTransport(options);
const records = createClient(RecordService, transport);
const accounts = createClient(AccountService, transport);

const learner = { reference: { case: "student" as const, value: { number: "S-1" } } };
const achievement = {
  recordId: "TS-1", learner, type: "Course", code: "CHEM-1", awarded: "2025-06-30",
  titles: [{ value: "Chemistry", language: "en" }], size: { amount, unit: "ects" },
};
try {
  // Sending it again is safe: the record id makes it the same record, and the receipt is the first one.
  const { outcome } = await records.submitRecord({ achievement });
  const position = outcome?.receipt?.position ?? 0n;
  console.log(OutcomeState[outcome?.state ?? 0], "at position", position.toString());
  // Asks for a state of the ledger that has the record in it.
  const balance = await accounts.getBalance({ learner, asOf: { atLeast: position + 1n } });
  console.log("balance", balance.totals.map((total) => `${total.amount} ${total.unit}`).join(", "));
} catch (error) {
  const refusal = ConnectError.from(error);
  const [info] = refusal.findDetails(ErrorInfoSchema);
  console.error(`${info?.reason ?? Code[refusal.code]}: ${refusal.rawMessage}`);
  process.exitCode = 1;
}
