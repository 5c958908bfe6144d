//! Outside services: limits, secrets, certificates, entity tags, and what errors say.

use std::{fs, net::SocketAddr, path::Path, time::Duration};

use kube_sci_signals::{
    config::{BasicAuthConfig, HttpConfig, TextDuration},
    http::{Credential, HttpErrorKind, HttpLimits, HttpService, Request, Secret},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};
use wiremock::{
    Mock, MockServer, ResponseTemplate,
    matchers::{any, header, path, query_param},
};

fn config(server: &MockServer) -> HttpConfig {
    HttpConfig::new(server.uri())
}

async fn answering(template: ResponseTemplate) -> MockServer {
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(template).mount(&server).await;
    server
}

async fn calls(server: &MockServer) -> usize {
    server.received_requests().await.unwrap().len()
}

#[tokio::test]
async fn a_changed_token_file_is_used_at_once() {
    let server = MockServer::start().await;
    for (token, answer) in [("first-token", "one"), ("second-token", "two")] {
        let shown = header("authorization", format!("Bearer {token}"));
        Mock::given(shown).respond_with(ResponseTemplate::new(200).set_body_string(answer)).mount(&server).await;
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    let service = HttpService::new(&HttpConfig { bearer_token_file: Some(file.clone()), ..config(&server) }).unwrap();

    let missing = service.get(&Request::get("/")).await.unwrap_err();
    assert!(matches!(missing.kind, HttpErrorKind::Secret(_)), "{missing}");
    for (token, answer) in [("first-token\n", "one"), ("second-token", "two")] {
        fs::write(&file, token).unwrap();
        assert_eq!(service.get(&Request::get("/")).await.unwrap().body, answer);
    }
    fs::write(&file, "two\nlines").unwrap();
    let error = service.get(&Request::get("/")).await.unwrap_err().to_string();
    assert!(error.contains("write one line of printable characters into"), "{error}");
}

#[tokio::test]
async fn user_name_and_password_are_sent_as_basic() {
    let server = MockServer::start().await;
    let shown = header("authorization", "Basic dXNlcjpwYXNzd29yZA==");
    Mock::given(shown).respond_with(ResponseTemplate::new(200)).mount(&server).await;
    let folder = tempfile::tempdir().unwrap();
    let password_file = folder.path().join("password");
    fs::write(&password_file, "password").unwrap();
    let basic_auth = Some(BasicAuthConfig { username: "user".to_owned(), password_file });
    let service = HttpService::new(&HttpConfig { basic_auth, ..config(&server) }).unwrap();
    assert!(service.get(&Request::get("/")).await.unwrap().is_success());
}

#[tokio::test]
async fn headers_of_the_configuration_go_with_every_request() {
    let server = MockServer::start().await;
    let shown = header("x-scope-orgid", "team-a");
    Mock::given(shown).respond_with(ResponseTemplate::new(200)).mount(&server).await;
    let headers = [("X-Scope-OrgID".to_owned(), "team-a".to_owned())].into();
    let service = HttpService::new(&HttpConfig { headers, ..config(&server) }).unwrap();
    let form = Request::post_form("/api/v1/query", vec![("query".to_owned(), "up".to_owned())]);
    assert!(service.get(&Request::get("/")).await.unwrap().is_success());
    assert!(service.get_once(&form).await.unwrap().is_success());
    let credential = Credential::Bearer(Secret::new("secret-1"));
    assert!(service.get_as(&Request::get("/other"), Some(&credential)).await.unwrap().is_success());
}

#[tokio::test]
async fn a_credential_goes_where_the_api_wants_it() {
    let server = MockServer::start().await;
    let ok = ResponseTemplate::new(200);
    Mock::given(header("auth-token", "secret-1")).respond_with(ok.clone()).mount(&server).await;
    Mock::given(query_param("key", "secret-2")).and(query_param("zone", "DE")).respond_with(ok).mount(&server).await;
    let service = HttpService::new(&config(&server)).unwrap();
    let (first, second) = (Secret::new("secret-1"), Secret::new("secret-2"));
    for credential in
        [Credential::Header { name: "auth-token", secret: first }, Credential::Query { name: "key", secret: second }]
    {
        let request = Request::get("/latest?zone=DE");
        assert!(service.get_as(&request, Some(&credential)).await.unwrap().is_success(), "{credential:?}");
    }
}

#[tokio::test]
async fn an_unchanged_entity_is_not_fetched_again() {
    let server = MockServer::start().await;
    let unmodified = ResponseTemplate::new(304);
    Mock::given(header("if-none-match", "\"v1\"")).respond_with(unmodified).with_priority(1).mount(&server).await;
    let first = ResponseTemplate::new(200).insert_header("etag", "\"v1\"").set_body_string("body");
    Mock::given(any()).respond_with(first).with_priority(2).mount(&server).await;
    let service = HttpService::new(&config(&server)).unwrap();
    for from_cache in [false, true, true] {
        let answer = service.get(&Request::get("/history")).await.unwrap();
        assert_eq!((answer.status.as_u16(), answer.from_cache), (200, from_cache));
        assert_eq!((answer.body.as_ref(), answer.etag.as_deref()), (b"body".as_slice(), Some("\"v1\"")));
    }
    assert_eq!(calls(&server).await, 3, "it is asked every time whether the entity still holds");
}

#[tokio::test]
async fn the_same_question_at_the_same_time_is_asked_once() {
    let server = answering(ResponseTemplate::new(200).set_delay(Duration::from_millis(300))).await;
    let service = HttpService::new(&config(&server)).unwrap();
    let (request, other) = (Request::get("/a"), Request::get("/a").query("zone", "DE"));
    let (first, second, third) = tokio::join!(service.get(&request), service.get(&request), service.get(&other));
    assert!([first, second, third].iter().all(Result::is_ok));
    assert_eq!(calls(&server).await, 2);
    service.get(&request).await.unwrap();
    assert_eq!(calls(&server).await, 3, "an answer is not kept");
}

#[tokio::test]
async fn a_long_question_travels_in_the_body() {
    let server = MockServer::start().await;
    Mock::given(path("/prometheus/api/v1/query")).respond_with(ResponseTemplate::new(200)).mount(&server).await;
    let service = HttpService::new(&HttpConfig::new(format!("{}/prometheus/", server.uri()))).unwrap();
    let form = vec![("query".to_owned(), "sum by (a) (b{c=\"d e\"})".to_owned())];
    assert!(service.get(&Request::post_form("/api/v1/query", form)).await.unwrap().is_success());
    let requests = server.received_requests().await.unwrap();
    assert_eq!(requests[0].method.as_str(), "POST");
    assert_eq!(requests[0].body, b"query=sum+by+%28a%29+%28b%7Bc%3D%22d+e%22%7D%29");
}

#[tokio::test]
async fn a_body_beyond_the_limit_is_refused() {
    let server = answering(ResponseTemplate::new(200).set_body_bytes(vec![b'x'; 2_000])).await;
    let limits = HttpLimits { max_body_bytes: 1_000, ..HttpLimits::default() };
    let service = HttpService::with_limits(&config(&server), limits).unwrap();
    let error = service.get(&Request::get("/")).await.unwrap_err();
    assert_eq!(error.kind, HttpErrorKind::TooLarge { limit_bytes: 1_000 });
}

#[tokio::test]
async fn a_body_without_an_announced_end_is_cut_off_at_the_limit() {
    let address = raw(|| b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n".to_vec(), b"0123456789").await;
    let service = HttpService::anywhere(HttpLimits { max_body_bytes: 100_000, ..HttpLimits::default() });
    let error = service.get(&Request::get(format!("http://{address}/metrics"))).await.unwrap_err();
    assert_eq!(error.kind, HttpErrorKind::TooLarge { limit_bytes: 100_000 });
    assert_eq!(&*error.place, format!("{address}/metrics"));
}

#[tokio::test]
async fn a_body_that_never_ends_slowly_is_given_up() {
    let address = raw(|| b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n".to_vec(), b"").await;
    let timeout = TextDuration::from_secs(1);
    let service = HttpService::new(&HttpConfig { timeout, ..HttpConfig::new(format!("http://{address}")) }).unwrap();
    let error = service.get(&Request::get("/")).await.unwrap_err();
    assert_eq!(error.kind, HttpErrorKind::Timeout { limit: Duration::from_secs(1) });
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let other = answering(ResponseTemplate::new(200)).await;
    let server = answering(ResponseTemplate::new(302).insert_header("location", other.uri())).await;
    let error = HttpService::new(&config(&server)).unwrap().get(&Request::get("/")).await.unwrap_err();
    assert_eq!(error.kind, HttpErrorKind::Redirected { status: 302 });
    assert_eq!(calls(&other).await, 0);
}

#[tokio::test]
async fn an_error_names_place_and_cause_but_neither_query_nor_secret() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let service = HttpService::new(&HttpConfig::new(format!("http://{address}"))).unwrap();
    let request = Request::get("/api?zone=DE").query("lat", "52");
    let credential = Credential::Query { name: "token", secret: Secret::new("hidden-token") };
    let error = service.get_as(&request, Some(&credential)).await.unwrap_err();
    let text = format!("{error} {error:?}");
    assert!(text.starts_with(&format!("{address}/api: ")), "{text}");
    assert!(!["hidden", "zone=DE", "lat", "token="].iter().any(|part| text.contains(part)), "{text}");
}

#[tokio::test]
async fn many_questions_wait_for_their_turn() {
    let server = answering(ResponseTemplate::new(200).set_delay(Duration::from_millis(50))).await;
    let limits = HttpLimits { concurrency: 2, ..HttpLimits::default() };
    let service = HttpService::with_limits(&config(&server), limits).unwrap();
    let requests: Vec<Request> = (0..8).map(|number| Request::get(format!("/{number}"))).collect();
    let started = std::time::Instant::now();
    let answers = futures::future::join_all(requests.iter().map(|request| service.get(request))).await;
    assert!(answers.iter().all(Result::is_ok));
    assert!(started.elapsed() >= Duration::from_millis(4 * 50), "two at a time");
}

#[test]
fn files_that_hold_no_secret_show_nothing_of_themselves() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    fs::write(&file, [0xff, 0xfe]).unwrap();
    let read = |path: &Path| kube_sci_signals::http::SecretFile::new(path).read().unwrap_err().to_string();
    assert!(read(&file).starts_with("write one line of printable characters into"));
    assert!(read(&folder.path().join("none")).contains("entity not found"));
}

/// A server that answers every request with a head and then repeats `body`; an empty one keeps silent.
async fn raw(head: impl Fn() -> Vec<u8> + Send + 'static, body: &'static [u8]) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0; 4_096]).await;
            let _ = stream.write_all(&head()).await;
            if body.is_empty() {
                std::future::pending::<()>().await;
            }
            while stream.write_all(&body.repeat(100)).await.is_ok() {}
        }
    });
    address
}
