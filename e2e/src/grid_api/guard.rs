//! Tokens, quotas, bans and faults.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use jiff::Timestamp;

use super::api::{Api, PASSWORD, Question, SESSION, TOKEN, USER};

/// What goes wrong with an answer.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Fault {
    /// It comes late.
    Slow(Duration),
    /// Another status, with a page of the proxy that sent it.
    Status(u16),
    /// The connection ends in the middle of the body.
    CutOff,
    /// The body is right, its type is not.
    WrongContentType,
    /// A page for humans, with status 200.
    Html,
    /// Values are null; where the shape knows no null they are left out.
    Nulls,
    /// Every value is this one, in the unit of the API.
    Values(f64),
    /// The plan of the token does not cover the question.
    NotInPlan,
    /// Every call is refused for so long, by the server's clock.
    Ban(Duration),
}

/// Calls that a token is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// So many calls.
    pub calls: usize,
    /// In any stretch of this length, by the server's clock.
    pub per: Duration,
    /// Whether the refusal says when to come again.
    pub retry_after: bool,
    /// How long every call is refused after one too many.
    pub ban: Duration,
}

/// Why a question gets no values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    Unauthorized,
    NotInPlan,
    /// With the seconds to wait, where they are told.
    TooMany(Option<u64>),
}

#[derive(Debug, Default)]
pub(super) struct Guard {
    tokens: BTreeMap<Api, String>,
    quotas: BTreeMap<Api, Quota>,
    banned_until: BTreeMap<Api, Timestamp>,
    faults: BTreeMap<Api, Vec<(Fault, Option<u32>)>>,
    recent: BTreeMap<(Api, String), VecDeque<Timestamp>>,
    calls: BTreeMap<(Api, String), u64>,
    unmodified: BTreeMap<Api, u64>,
    questions: BTreeMap<Api, Vec<String>>,
}

impl Guard {
    pub(super) fn fault(&mut self, api: Api, fault: Fault, times: Option<u32>) {
        self.faults.entry(api).or_default().push((fault, times));
    }

    pub(super) fn mend(&mut self, api: Api) {
        self.faults.remove(&api);
        self.banned_until.remove(&api);
    }

    pub(super) fn quota(&mut self, api: Api, quota: Quota) {
        self.quotas.insert(api, quota);
    }

    pub(super) fn change_token(&mut self, api: Api, token: &str) {
        self.tokens.insert(api, token.to_owned());
    }

    pub(super) fn calls(&self, api: Api) -> u64 {
        self.calls.iter().filter(|((of, _), _)| *of == api).map(|(_, calls)| calls).sum()
    }

    pub(super) fn calls_with(&self, api: Api, token: &str) -> u64 {
        self.calls.iter().filter(|((of, secret), _)| *of == api && secret == token).map(|(_, calls)| calls).sum()
    }

    pub(super) fn unmodified(&self, api: Api) -> u64 {
        self.unmodified.get(&api).copied().unwrap_or_default()
    }

    pub(super) fn count_unmodified(&mut self, api: Api) {
        *self.unmodified.entry(api).or_default() += 1;
    }

    pub(super) fn questions(&self, api: Api) -> Vec<String> {
        self.questions.get(&api).cloned().unwrap_or_default()
    }

    /// Counts a question and takes the faults of its answer.
    pub(super) fn enter(&mut self, question: &Question, now: Timestamp) -> (Vec<Fault>, Option<Refusal>) {
        let api = question.api;
        *self.calls.entry((api, question.secret.clone())).or_default() += 1;
        self.questions.entry(api).or_default().push(question.to_text());
        let faults = self.take_faults(api);
        for fault in &faults {
            if let Fault::Ban(length) = fault {
                self.ban(api, now, *length);
            }
        }
        let refusal = self.refuse(question, now);
        let outside = faults.contains(&Fault::NotInPlan).then_some(Refusal::NotInPlan);
        (faults, refusal.or(outside))
    }

    fn take_faults(&mut self, api: Api) -> Vec<Fault> {
        let Some(script) = self.faults.get_mut(&api) else { return Vec::new() };
        let taken = script.iter().map(|(fault, _)| fault.clone()).collect();
        for (_, times) in script.iter_mut() {
            *times = times.map(|times| times.saturating_sub(1));
        }
        script.retain(|(_, times)| *times != Some(0));
        taken
    }

    fn refuse(&mut self, question: &Question, now: Timestamp) -> Option<Refusal> {
        let api = question.api;
        if let Some(&until) = self.banned_until.get(&api).filter(|&&until| until > now) {
            return Some(Refusal::TooMany(Some(seconds_until(now, until))));
        }
        if api.is_guarded() && !self.accepts(question) {
            return Some(Refusal::Unauthorized);
        }
        let quota = *self.quotas.get(&api)?;
        let recent = self.recent.entry((api, question.secret.clone())).or_default();
        let since = now.checked_sub(quota.per).unwrap_or(now);
        while recent.front().is_some_and(|&call| call <= since) {
            recent.pop_front();
        }
        if recent.len() < quota.calls {
            recent.push_back(now);
            return None;
        }
        let free = recent.front().and_then(|first| first.checked_add(quota.per).ok()).unwrap_or(now);
        self.ban(api, now, quota.ban);
        let wait = seconds_until(now, free).max(quota.ban.as_secs()).max(1);
        Some(Refusal::TooMany(quota.retry_after.then_some(wait)))
    }

    fn ban(&mut self, api: Api, now: Timestamp, length: Duration) {
        if let Some(until) = now.checked_add(length).ok().filter(|&until| until > now) {
            self.banned_until.entry(api).or_insert(until);
        }
    }

    fn accepts(&self, question: &Question) -> bool {
        let token = |default: &str| self.tokens.get(&question.api).map_or(default.to_owned(), String::clone);
        match question.api {
            Api::WattTime if question.is_login() => question.secret == basic(USER, &token(PASSWORD)),
            Api::WattTime => question.secret == format!("Bearer {SESSION}"),
            _ => question.secret == token(TOKEN),
        }
    }
}

fn seconds_until(now: Timestamp, then: Timestamp) -> u64 {
    u64::try_from(then.duration_since(now).as_secs()).unwrap_or_default()
}

/// `Basic` credentials (RFC 7617).
fn basic(user: &str, password: &str) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let plain = format!("{user}:{password}");
    let mut encoded = String::from("Basic ");
    for chunk in plain.as_bytes().chunks(3) {
        let bits = (0..3).fold(0_u32, |bits, index| bits << 8 | u32::from(chunk.get(index).copied().unwrap_or(0)));
        for digit in 0..4 {
            let value = usize::try_from(bits >> (18 - 6 * digit) & 63).ok();
            let letter = value.and_then(|value| DIGITS.get(value)).map_or('=', |&letter| char::from(letter));
            encoded.push(if digit > chunk.len() { '=' } else { letter });
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::basic;

    #[test]
    fn basic_credentials_are_encoded_as_the_standard_shows() {
        assert_eq!(basic("Aladdin", "open sesame"), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
        assert_eq!(basic("test", "123\u{a3}"), "Basic dGVzdDoxMjPCow==");
    }
}
