//! Reference page of an HTTP surface.

use std::fmt::Write as _;

/// Routes that the listener adds to every program.
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

/// Access of whoever gets through to the port.
pub const EVERYBODY: &str = "everybody who reaches the port";
/// Access of whom the listener trusts.
pub const TRUSTED: &str = "loopback, or a verified client certificate";

/// What a reader needs to know about a route.
#[derive(Debug, Clone, Copy)]
pub struct RouteDoc {
    /// Method.
    pub method: &'static str,
    /// Path with parameters in braces.
    pub path: &'static str,
    /// Who may call it.
    pub access: &'static str,
    /// What it takes.
    pub request: &'static str,
    /// What it answers with status 200.
    pub answer: &'static str,
    /// Other statuses.
    pub errors: &'static str,
}

/// A section for each route; texts that are empty are left out.
pub fn sections(routes: impl IntoIterator<Item = RouteDoc>) -> String {
    let mut page = String::new();
    for doc in routes {
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
    page
}

/// A page of the routes of a program, with those that the listener adds.
pub fn routes(title: &str, intro: &str, routes: impl IntoIterator<Item = RouteDoc>) -> String {
    format!("# {title}\n\n{intro}{}\n{SERVER_ROUTES}", sections(routes))
}
