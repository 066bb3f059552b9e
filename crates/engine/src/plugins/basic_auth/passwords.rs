//! Whether a password is the one that a hash was made of. That takes tens of milliseconds by design, so it is found out on
//! threads of its own, and what was found is remembered for a while.
//!
//! The queue before those threads is short: who comes when it is full is told to come again. What is remembered is found
//! by a keyed digest of hash and password, of which neither can be read; a changed credential has another hash, so
//! nothing of the old one is ever found again.

use argon2::password_hash::PasswordHash;
use argon2::{Argon2, PasswordVerifier};
use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// How many verdicts are remembered; about a megabyte, from the first password on.
const REMEMBERED: usize = 1 << 14;
const REMEMBERED_FOR: Duration = Duration::from_secs(60);
/// Passwords that may wait to be looked at.
const QUEUE: usize = 128;
/// The most that a hash may demand, so that a mistake in a configuration does not exhaust the memory.
const MAXIMUM_MEMORY_KIB: u32 = 1 << 18;
const MAXIMUM_PASSES: u32 = 64;
const BCRYPT_COSTS: std::ops::RangeInclusive<u32> = 4..=16;

/// One of an engine.
#[derive(Default)]
pub struct Passwords(OnceLock<Inner>);

struct Inner {
    /// None where there is no randomness: then nothing is remembered.
    key: Option<hmac::Key>,
    verdicts: Arc<Verdicts>,
    queue: SyncSender<Job>,
}

/// A password, and the hash that it should fit.
pub struct Question {
    hash: Arc<str>,
    password: Vec<u8>,
    digest: Option<Digest>,
}

type Digest = [u8; 32];

struct Job {
    question: Question,
    answer: oneshot::Sender<bool>,
}

impl Passwords {
    pub fn question(&self, hash: &Arc<str>, password: Vec<u8>) -> Question {
        let digest = self.inner().key.as_ref().and_then(|key| {
            let mut context = hmac::Context::with_key(key);
            context.update(hash.as_bytes());
            // No hash has this byte.
            context.update(&[0]);
            context.update(&password);
            context.sign().as_ref().try_into().ok()
        });
        Question { hash: hash.clone(), password, digest }
    }

    /// Whether it is right, where that was found out lately.
    pub fn known(&self, question: &Question) -> Option<bool> {
        self.inner().verdicts.get(question.digest.as_ref()?)
    }

    /// Has it found out. None where too many wait.
    pub fn ask(&self, question: Question) -> Option<oneshot::Receiver<bool>> {
        let (answer, receiver) = oneshot::channel();
        self.inner().queue.try_send(Job { question, answer }).ok().map(|()| receiver)
    }

    fn inner(&self) -> &Inner {
        self.0.get_or_init(|| {
            let threads = thread::available_parallelism().map_or(1, |cores| cores.get().div_ceil(4));
            Inner::start(threads, QUEUE)
        })
    }
}

impl Inner {
    /// The threads end when the queue is dropped.
    fn start(threads: usize, queue: usize) -> Self {
        let verdicts = Arc::new(Verdicts::default());
        let (queue, jobs) = mpsc::sync_channel(queue);
        let jobs = Arc::new(Mutex::new(jobs));
        for _ in 0..threads {
            let (jobs, verdicts) = (jobs.clone(), verdicts.clone());
            // Without a thread, nobody takes jobs: the queue is closed, and callers are told to come again.
            let _ = thread::Builder::new().name("toolway-hash".into()).spawn(move || work(&jobs, &verdicts));
        }
        let key = hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new()).ok();
        Self { key, verdicts, queue }
    }
}

fn work(jobs: &Mutex<Receiver<Job>>, verdicts: &Verdicts) {
    loop {
        let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(Job { question, answer }) = job else { return };
        if answer.is_closed() {
            continue;
        }
        // The same password may have waited several times.
        let known = question.digest.as_ref().and_then(|digest| verdicts.get(digest));
        let is_right = known.unwrap_or_else(|| fits(&question.password, &question.hash));
        if let Some(digest) = question.digest.filter(|_| known.is_none()) {
            verdicts.put(digest, is_right);
        }
        let _ = answer.send(is_right);
    }
}

fn fits(password: &[u8], hash: &str) -> bool {
    if is_bcrypt(hash) {
        return bcrypt::verify(password, hash).unwrap_or(false);
    }
    PasswordHash::new(hash).is_ok_and(|hash| Argon2::default().verify_password(password, &hash).is_ok())
}

fn is_bcrypt(hash: &str) -> bool {
    ["$2a$", "$2b$", "$2x$", "$2y$"].iter().any(|start| hash.starts_with(start))
}

/// Whether it is a hash that can be verified at a bearable cost; else why not, without the hash.
pub fn check_hash(hash: &str) -> Result<(), String> {
    if is_bcrypt(hash) {
        let parts: bcrypt::HashParts =
            hash.parse().map_err(|_| "password_hash: this is not a whole bcrypt hash")?;
        if !BCRYPT_COSTS.contains(&parts.get_cost()) {
            return Err("password_hash: bcrypt's cost must be between 4 and 16".into());
        }
        return Ok(());
    }
    let parsed = PasswordHash::new(hash)
        .map_err(|_| "password_hash: expected a PHC string of argon2 or a bcrypt hash")?;
    let params = argon2::Params::try_from(&parsed);
    let (Ok(_), Ok(params), Some(_), Some(_)) =
        (argon2::Algorithm::try_from(parsed.algorithm), params, parsed.salt, parsed.hash)
    else {
        return Err("password_hash: expected a whole PHC string of argon2id, argon2i or argon2d".into());
    };
    if params.m_cost() > MAXIMUM_MEMORY_KIB || params.t_cost() > MAXIMUM_PASSES {
        return Err(format!(
            "password_hash: argon2 may take {MAXIMUM_MEMORY_KIB} KiB and {MAXIMUM_PASSES} passes, and this takes {} \
             and {}",
            params.m_cost(),
            params.t_cost()
        ));
    }
    Ok(())
}

/// What was found, in slots of which a digest has one; a newer verdict takes the slot.
struct Verdicts(Box<[Mutex<Option<Verdict>>]>);

struct Verdict {
    digest: Digest,
    is_right: bool,
    until: Instant,
}

impl Default for Verdicts {
    fn default() -> Self {
        Self((0..REMEMBERED).map(|_| Mutex::default()).collect())
    }
}

impl Verdicts {
    fn slot(&self, digest: &Digest) -> Option<&Mutex<Option<Verdict>>> {
        let [first, second, ..] = digest;
        self.0.get(usize::from(u16::from_be_bytes([*first, *second])) % REMEMBERED)
    }

    fn get(&self, digest: &Digest) -> Option<bool> {
        let slot = self.slot(digest)?.lock().unwrap_or_else(PoisonError::into_inner);
        let verdict = slot.as_ref()?;
        (verdict.digest == *digest && Instant::now() < verdict.until).then_some(verdict.is_right)
    }

    fn put(&self, digest: Digest, is_right: bool) {
        if let Some(slot) = self.slot(&digest) {
            let verdict = Verdict { digest, is_right, until: Instant::now() + REMEMBERED_FOR };
            *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(verdict);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(passwords: &Passwords, hash: &str, password: &str) -> bool {
        let question = passwords.question(&hash.into(), password.into());
        passwords.ask(question).expect("room in the queue").blocking_recv().expect("an answer")
    }

    #[test]
    fn tells_right_from_wrong_and_remembers_both() {
        let passwords = Passwords::default();
        let hash: Arc<str> = bcrypt::hash("sesame", 4).unwrap().into();
        for (password, is_right) in [("sesame", true), ("Sesame", false), ("", false)] {
            let question = || passwords.question(&hash, password.into());
            assert_eq!(passwords.known(&question()), None);
            assert_eq!(answer(&passwords, &hash, password), is_right);
            assert_eq!(passwords.known(&question()), Some(is_right));
        }
    }

    #[test]
    fn nothing_is_remembered_of_a_hash_that_has_changed() {
        let passwords = Passwords::default();
        let hashes = [bcrypt::hash("old", 4).unwrap(), bcrypt::hash("new", 4).unwrap()];
        assert!(answer(&passwords, &hashes[0], "old"));
        assert_eq!(passwords.known(&passwords.question(&hashes[1].as_str().into(), "old".into())), None);
        assert!(!answer(&passwords, &hashes[1], "old"));
    }

    #[test]
    fn who_comes_when_the_queue_is_full_is_turned_away() {
        let passwords = Passwords::default();
        let inner = Inner::start(0, 1);
        // A queue that nobody empties and that stays open.
        let (queue, _jobs) = mpsc::sync_channel(1);
        assert!(passwords.0.set(Inner { queue, ..inner }).is_ok());
        let ask = || passwords.ask(passwords.question(&"hash".into(), b"password".to_vec()));
        let first = ask();
        assert!(first.is_some() && ask().is_none());
    }

    #[test]
    fn takes_argon2_and_bcrypt_at_a_bearable_cost_alone() {
        let salt = argon2::password_hash::SaltString::encode_b64(b"0123456789abcdef").unwrap();
        let params = argon2::Params::new(64, 1, 1, None).unwrap();
        let argon2 = Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, params);
        let phc = argon2::PasswordHasher::hash_password(&argon2, b"sesame", &salt).unwrap().to_string();
        assert_eq!(check_hash(&phc), Ok(()));
        assert!(fits(b"sesame", &phc) && !fits(b"sesame ", &phc));
        assert_eq!(check_hash(super::super::NOBODY), Ok(()));
        let bcrypt = bcrypt::hash("sesame", 4).unwrap();
        assert_eq!(check_hash(&bcrypt), Ok(()));
        let cut = phc.rsplit_once('$').unwrap().0;
        for (hash, why) in [
            ("sesame", "expected a PHC string"),
            (cut, "expected a whole PHC string"),
            (&phc.replace("argon2id", "scrypt"), "expected a whole PHC string"),
            (&phc.replace("m=64", "m=1048576"), "argon2 may take 262144 KiB"),
            (&phc.replace("t=1", "t=1000"), "64 passes"),
            ("$2b$04$short", "not a whole bcrypt hash"),
            (&bcrypt.replace("$04$", "$31$"), "cost must be between"),
        ] {
            let message = check_hash(hash).unwrap_err();
            assert!(message.contains(why) && !message.contains("$2b$"), "{message}");
        }
    }
}
