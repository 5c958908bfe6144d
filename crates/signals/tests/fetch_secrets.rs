//! Secrets appear in no log line, error, status or debug text, even where a service sends them back.

use std::{
    fmt::Write as _,
    fs,
    io::{self, Write},
    path::Path,
    sync::{Arc, Mutex},
};

use kube_sci_signals::{
    config::{BasicAuthConfig, HttpConfig},
    grid::{IntensitySource, providers::Auth},
};
use tracing_subscriber::fmt::MakeWriter;
use wiremock::{Mock, Request, ResponseTemplate, matchers::any};

use crate::fetch_support::{Fixture, Numbers, seconds};

const TOKEN: &str = "kp7/Zq+secret=token";
/// User name and token as `Authorization: Basic` carries them.
const BASIC: &str = "dXNlcjprcDcvWnErc2VjcmV0PXRva2Vu";
/// What the login yields.
const SESSION: &str = "s3ss/ion+key=";

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;
    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// Everything that was sent, sent back as an error; a login is answered.
fn echo(request: &Request) -> ResponseTemplate {
    if request.url.path() == "/login" {
        return ResponseTemplate::new(200).set_body_string(SESSION);
    }
    let code = if request.url.path() == "/zones/A" { 200 } else { 500 };
    let headers: Vec<String> = request.headers.iter().map(|(name, value)| format!("{name}: {value:?}")).collect();
    ResponseTemplate::new(code).set_body_string(format!("{} {}", request.url, headers.join(" ")))
}

#[tokio::test]
async fn no_text_of_any_kind_holds_a_secret() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(log.clone()).finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let mut texts = String::new();
    let (header, query) = (Auth::Header { name: "auth-token" }, Auth::Query { name: "securityToken" });
    for auth in [header, query, Auth::Bearer, Auth::Basic, Auth::Session] {
        let provider = Numbers { auth, login: auth == Auth::Session, ..Numbers::default() };
        let with_user = |config: HttpConfig, file: &Path| {
            let basic_auth = Some(BasicAuthConfig { username: "user".to_owned(), password_file: file.to_owned() });
            HttpConfig { basic_auth, ..config }
        };
        let mut fixture = Fixture::reached(&["A", "B"], provider, with_user, |_| ()).await;
        fs::write(&fixture.token, TOKEN).unwrap();
        Mock::given(any()).respond_with(echo).mount(&fixture.server).await;
        for said in fixture.run(seconds(90)).await {
            write!(texts, "{said:?} ").unwrap();
            if let Err(error) = said {
                tracing::warn!(error, "consumed");
            }
        }
        let asked = fixture.server.received_requests().await.unwrap();
        assert!(asked.len() >= 2, "it was shown to the service");
        let shown = format!("{asked:?}");
        let secret = match auth {
            Auth::Basic => BASIC,
            Auth::Session => SESSION,
            _ => "token",
        };
        assert!(shown.contains(secret), "{auth:?} {shown}");
        let (status, name) = (fixture.status(), fixture.fetcher.name());
        write!(texts, "{status:?} {:?} {name}", fixture.fetcher).unwrap();
    }
    texts += &String::from_utf8_lossy(&log.0.lock().unwrap());
    assert!(texts.contains("the answer is not of this API"), "{texts}");
    assert!(texts.contains("consumed"), "the log was captured");
    let of_token = [TOKEN, "kp7%2FZq%2Bsecret%3Dtoken", "secret=token", "kp7/Zq", "kp7%2FZq"];
    for spelling in of_token.into_iter().chain([BASIC, &BASIC[..12], SESSION, "s3ss", "ion+key"]) {
        let place = texts.find(spelling);
        let around = place.map(|place| &texts[place.saturating_sub(200)..(place + 60).min(texts.len())]);
        assert_eq!(around, None, "{spelling}");
    }
}
