//! Headers as `name: value` lines: nothing that identifies or authenticates is left, and extra keys have one meaning.
#![no_main]

use aggregated_apiserver::{delegation::decode_extra_key, fuzzing::front_proxy};
use libfuzzer_sys::fuzz_target;

const GONE: [&str; 5] = ["authorization", "proxy-authorization", "cookie", "x-remote-", "impersonate-"];

fuzz_target!(|bytes: &[u8]| {
    let pairs: Vec<(&[u8], &[u8])> = bytes
        .split(|&byte| byte == b'\n')
        .filter_map(|line| {
            let at = line.iter().position(|&byte| byte == b':')?;
            Some((line.get(..at)?, line.get(at + 1..)?.trim_ascii()))
        })
        .collect();
    let (user, left) = front_proxy(&pairs);
    for name in &left {
        let gone = GONE.iter().find(|&&gone| if gone.ends_with('-') { name.starts_with(gone) } else { name == gone });
        // Not a header of the front proxy: only its groups, extras, name and UID begin so.
        let other = name.starts_with("x-remote-") && !is_identity(name);
        assert!(gone.is_none() || other, "{name} is left");
    }
    if let Some(user) = user {
        assert!(!user.name.is_empty());
        assert!(user.groups.iter().all(|group| !group.is_empty()));
        assert!(user.extra.iter().all(|(key, values)| !key.is_empty() && !values.is_empty()));
    }
    if let Ok(key) = std::str::from_utf8(bytes) {
        // Letters of a key never matter.
        assert_eq!(decode_extra_key(key), decode_extra_key(&key.to_ascii_uppercase()));
    }
});

fn is_identity(name: &str) -> bool {
    ["x-remote-user", "x-remote-uid"].contains(&name)
        || ["x-remote-group", "x-remote-extra-"].iter().any(|prefix| name.starts_with(prefix))
}
