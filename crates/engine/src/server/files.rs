//! How many files the process may open. Each connection is one, and the usual limit of 1,024 was made for programs that
//! wait with select(2); so a server raises it as far as it may.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What the limit can be raised to.
pub fn most_files() -> usize {
    let most = getrlimit(Resource::Nofile).maximum;
    most.map_or(usize::MAX, |most| usize::try_from(most).unwrap_or(usize::MAX))
}

/// Raises the limit as far as it goes. Where that is refused, it stays.
pub fn raise_most_files() {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
}
