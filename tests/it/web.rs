//! gRPC-Web as a browser speaks it: HTTP/1.1 by hand, in binary and in base64, through the same guard and
//! with the same errors as gRPC.
//!
//! By hand because a client library would hide what a browser sees: headers, CORS, and where the status is.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use api::v1::{
    BatchSubmitRecordsRequest, GetHeadRequest, GetHeadResponse, ReadRecordsRequest,
    ReadRecordsResponse,
};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use prost::Message;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tonic_types::pb;

use crate::bank::achievement;

const PAGE: &str = "https://registrar.example";
const HEAD: &str = "/creditbank.v1.AuditService/GetHead";
const BINARY: &str = "application/grpc-web+proto";
const TEXT: &str = "application/grpc-web-text+proto";

/// A server that lets one page in.
async fn server(dir: &std::path::Path) -> server::Running {
    let mut config = server::Config {
        listen: "127.0.0.1:0".parse().unwrap(),
        http: server::config::Http::off(),
        data_dir: dir.join("store"),
        ..server::Config::default()
    };
    config.web.allowed_origins = vec![PAGE.to_owned()];
    config.limits.message_bytes_max = 64 << 10;
    server::start(config).await.unwrap()
}

/// What came back: the status line's number, headers, body.
#[derive(Debug)]
struct Answer {
    status: u16,
    headers: BTreeMap<String, String>,
    body: Vec<u8>,
}

async fn send(address: SocketAddr, head: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    let mut text = format!("{head} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n");
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text.push_str(&format!("content-length: {}\r\n\r\n", body.len()));
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(text.as_bytes()).await.unwrap();
    // The server may answer, and close, before it has read a body that is too long.
    let _ = stream.write_all(body).await;
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes).await;
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
    let (head, body) = bytes.split_at(end.expect("an answer has a head") + 4);
    let head = std::str::from_utf8(head).unwrap();
    let mut lines = head.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap();
    let headers: BTreeMap<String, String> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let chunked = headers.contains_key("transfer-encoding");
    Answer {
        status: status.parse().unwrap(),
        headers,
        body: if chunked { joined(body) } else { body.to_vec() },
    }
}

/// A chunked body in one piece (RFC 9112, 7.1).
fn joined(mut body: &[u8]) -> Vec<u8> {
    let mut whole = Vec::new();
    loop {
        let end = body.windows(2).position(|two| two == b"\r\n").unwrap();
        let length = std::str::from_utf8(&body[..end]).unwrap();
        let length = usize::from_str_radix(length, 16).unwrap();
        if length == 0 {
            return whole;
        }
        whole.extend_from_slice(&body[end + 2..end + 2 + length]);
        body = &body[end + 2 + length + 2..];
    }
}

fn framed(message: &impl Message) -> Vec<u8> {
    let bytes = message.encode_to_vec();
    let length = u32::try_from(bytes.len()).unwrap();
    [&[0], length.to_be_bytes().as_slice(), &bytes].concat()
}

/// Messages and trailers; those of an answer without a body are its headers.
fn taken_apart(answer: &Answer) -> (Vec<Vec<u8>>, BTreeMap<String, String>) {
    let mut body = answer.body.clone();
    if answer.headers["content-type"].starts_with("application/grpc-web-text") {
        // Each piece is padded by itself.
        let text = String::from_utf8(body).unwrap();
        let pieces = text.split_inclusive('=').filter(|piece| *piece != "=");
        let decoded = pieces.map(|piece| STANDARD_NO_PAD.decode(piece.trim_end_matches('=')));
        body = decoded.map(Result::unwrap).collect::<Vec<_>>().concat();
    }
    let (mut messages, mut trailers) = (Vec::new(), answer.headers.clone());
    let mut rest = body.as_slice();
    while let Some((flag, after)) = rest.split_first() {
        let (length, after) = after.split_at(4);
        let length = u32::from_be_bytes(length.try_into().unwrap());
        let (content, after) = after.split_at(usize::try_from(length).unwrap());
        if *flag == 0x80 {
            let text = std::str::from_utf8(content).unwrap();
            let pairs = text.lines().filter_map(|line| line.split_once(':'));
            trailers.extend(pairs.map(|(name, value)| (name.to_owned(), value.trim().to_owned())));
        } else {
            messages.push(content.to_vec());
        }
        rest = after;
    }
    (messages, trailers)
}

/// The status code and the reason of a "no".
fn refusal(answer: &Answer) -> (String, String) {
    let (messages, trailers) = taken_apart(answer);
    assert!(messages.is_empty(), "{answer:?}");
    let details = &trailers["grpc-status-details-bin"];
    let details = STANDARD_NO_PAD
        .decode(details.trim_end_matches('='))
        .unwrap();
    let status = pb::Status::decode(details.as_slice()).unwrap();
    let info = status
        .details
        .iter()
        .find(|detail| detail.type_url.ends_with("ErrorInfo"))
        .expect("every no has a reason");
    let info = pb::ErrorInfo::decode(info.value.as_slice()).unwrap();
    (trailers["grpc-status"].clone(), info.reason)
}

async fn call(address: SocketAddr, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    send(address, &format!("POST {path}"), headers, body).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_is_answered_in_binary_and_in_text() {
    let dir = tempfile::tempdir().unwrap();
    let running = server(dir.path()).await;
    let address = running.local_addr();
    let question = framed(&GetHeadRequest::default());
    let as_text = STANDARD.encode(&question).into_bytes();
    let mut heads = Vec::new();
    for (kind, body) in [(BINARY, &question), (TEXT, &as_text)] {
        let headers = [
            ("content-type", kind),
            ("accept", kind),
            ("creditbank-identity", "auditor"),
        ];
        let answer = call(address, HEAD, &headers, body).await;
        let (messages, trailers) = taken_apart(&answer);
        assert_eq!(
            (answer.status, trailers["grpc-status"].as_str()),
            (200, "0")
        );
        assert_eq!(answer.headers["content-type"], kind);
        assert!(!answer.headers.contains_key("access-control-allow-origin"));
        heads.push(GetHeadResponse::decode(messages[0].as_slice()).unwrap());
    }
    assert_eq!(heads[0], heads[1]);
    let auditor = [
        ("content-type", TEXT),
        ("accept", TEXT),
        ("creditbank-identity", "auditor"),
    ];
    let all = STANDARD.encode(framed(&ReadRecordsRequest::default()));
    let path = "/creditbank.v1.AuditService/ReadRecords";
    let answer = call(address, path, &auditor, all.as_bytes()).await;
    let (messages, _) = taken_apart(&answer);
    let read = messages
        .iter()
        .map(|message| ReadRecordsResponse::decode(message.as_slice()));
    let count: usize = read.map(|answer| answer.unwrap().records.len()).sum();
    assert_eq!(
        u64::try_from(count).unwrap(),
        heads[0].size,
        "streams come too"
    );
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn guard_limits_and_errors_are_those_of_grpc() {
    let dir = tempfile::tempdir().unwrap();
    let running = server(dir.path()).await;
    let address = running.local_addr();
    let question = framed(&GetHeadRequest::default());
    let long = BatchSubmitRecordsRequest {
        achievements: (0..1000).map(|n| achievement(&format!("r{n}"))).collect(),
        ..BatchSubmitRecordsRequest::default()
    };
    let long = framed(&long);
    let batch = "/creditbank.v1.RecordService/BatchSubmitRecords";
    let erase = "/creditbank.v1.LearnerService/EraseLearner";
    for (path, kind, identity, body, code, reason) in [
        (
            HEAD,
            BINARY,
            "",
            question.as_slice(),
            "16",
            "IDENTITY_MISSING",
        ),
        (erase, BINARY, "auditor", &question, "7", "ROLE_NOT_ALLOWED"),
        (
            "/creditbank.v1.AuditService/Gone",
            BINARY,
            "auditor",
            &question,
            "12",
            "UNKNOWN_CALL",
        ),
        (
            batch,
            BINARY,
            "institution:uni",
            &long,
            "8",
            "MESSAGE_TOO_LARGE",
        ),
        (
            batch,
            BINARY,
            "institution:uni",
            &[0, 0, 0, 0, 1, 7],
            "3",
            "MALFORMED",
        ),
        (HEAD, TEXT, "auditor", b"????", "3", "MALFORMED"),
    ] {
        let mut headers = vec![("content-type", kind), ("accept", BINARY)];
        if !identity.is_empty() {
            headers.push(("creditbank-identity", identity));
        }
        let answer = call(address, path, &headers, body).await;
        assert_eq!(
            refusal(&answer),
            (code.to_owned(), reason.to_owned()),
            "{path}"
        );
    }
    let plain = call(
        address,
        HEAD,
        &[("content-type", "application/json")],
        b"{}",
    )
    .await;
    assert_eq!(plain.status, 400, "neither gRPC nor gRPC-Web");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_calls_only_when_it_has_been_named() {
    let dir = tempfile::tempdir().unwrap();
    let running = server(dir.path()).await;
    let address = running.local_addr();
    let question = framed(&GetHeadRequest::default());
    // The second is what a page sends whose name has been pointed at this machine.
    let own = format!("http://{address}");
    for stranger in ["https://evil.example", own.as_str(), "null"] {
        let headers = [
            ("content-type", BINARY),
            ("creditbank-identity", "operator"),
            ("origin", stranger),
        ];
        let answer = call(address, HEAD, &headers, &question).await;
        assert_eq!(refusal(&answer), ("7".into(), "ORIGIN_NOT_ALLOWED".into()));
        assert!(!answer.headers.contains_key("access-control-allow-origin"));
    }
    let headers = [
        ("content-type", BINARY),
        ("creditbank-identity", "auditor"),
        ("origin", PAGE),
    ];
    let answer = call(address, HEAD, &headers, &question).await;
    let (messages, _) = taken_apart(&answer);
    assert_eq!(messages.len(), 1);
    assert_eq!(answer.headers["access-control-allow-origin"], PAGE);
    let exposed = &answer.headers["access-control-expose-headers"];
    assert!(exposed.contains("grpc-status-details-bin"), "{exposed}");

    for (origin, allowed) in [(PAGE, Some(PAGE)), ("https://evil.example", None)] {
        let headers = [
            ("origin", origin),
            ("access-control-request-method", "POST"),
            (
                "access-control-request-headers",
                "content-type,creditbank-identity",
            ),
        ];
        let answer = send(address, &format!("OPTIONS {HEAD}"), &headers, b"").await;
        let said = answer.headers.get("access-control-allow-origin");
        assert_eq!(said.map(String::as_str), allowed);
        let named = &answer.headers["access-control-allow-headers"];
        assert!(named.contains("creditbank-identity"), "{named}");
    }
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn health_and_reflection_answer_too() {
    let dir = tempfile::tempdir().unwrap();
    let running = server(dir.path()).await;
    let address = running.local_addr();
    let headers = [("content-type", BINARY)];
    let empty = framed(&GetHeadRequest::default());
    let answer = call(address, "/grpc.health.v1.Health/Check", &headers, &empty).await;
    let (messages, trailers) = taken_apart(&answer);
    assert_eq!(trailers["grpc-status"], "0");
    assert_eq!(messages, [[8, 1]], "status: SERVING");
    // ServerReflectionRequest { list_services: "" }.
    let list = [0, 0, 0, 0, 2, 0x3a, 0];
    let path = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
    let (messages, _) = taken_apart(&call(address, path, &headers, &list).await);
    let text = String::from_utf8_lossy(&messages[0]).into_owned();
    assert!(text.contains("creditbank.v1.RecordService"), "{text}");
    running.stop().await;
}
