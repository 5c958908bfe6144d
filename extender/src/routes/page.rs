use std::fmt::Write as _;

use super::Route;

const INTRODUCTION: &str = "\
The extender speaks HTTP/1.1, and HTTP/2 over TLS.
Every error is a JSON document `{\"error\": \"...\"}` that says what to do, with a status other than 200: the
scheduler discards such an answer and, with `ignorable: true`, goes on without it.
Numbers carry their unit in the name of the field.
";

const SERVER_ROUTES: &str = "\
## Routes of every kube-sci program

| route | access | answer |
| --- | --- | --- |
| `GET /livez` | everybody who reaches the port | 200 while the process answers |
| `GET /readyz` | everybody who reaches the port | 200, or 503 with the failing checks; all checks with `?verbose` |
| `GET /metrics` | everybody who reaches the port | OpenMetrics text |
| `GET /log-level` | everybody who reaches the port | what is logged at present |
| `PUT /log-level` | loopback, or a verified client certificate | changes what is logged |
";

/// The page `docs/reference/http-api.md`.
pub fn reference() -> String {
    let mut page = format!("# HTTP API of the extender\n\n{INTRODUCTION}");
    for route in Route::ALL {
        let doc = route.doc();
        // Writing to a String cannot fail.
        let _ = write!(page, "\n## `{} {}`\n\n", doc.method, doc.path);
        for (name, text) in
            [("Access", doc.access), ("Request", doc.request), ("Answer", doc.answer), ("Other statuses", doc.errors)]
        {
            if !text.is_empty() {
                let _ = writeln!(page, "- {name}: {text}.");
            }
        }
    }
    page.push('\n');
    page.push_str(SERVER_ROUTES);
    page
}
