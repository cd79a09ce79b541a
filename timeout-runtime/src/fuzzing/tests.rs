use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::{fmt, fs};

use super::*;

/// Runs what the fuzzer found worth keeping.
fn run_corpus(target: &str, run: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(target);
    let mut files = 0;
    for file in fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let input = fs::read(&path).unwrap();
        let passed = catch_unwind(AssertUnwindSafe(|| run(&input)));
        assert!(passed.is_ok(), "{}", path.display());
        files += 1;
    }
    assert!(files >= 20, "{files} files");
}

#[test]
fn frames_that_the_fuzzer_kept() {
    run_corpus("frame", frame);
}

#[test]
fn records_that_the_fuzzer_kept() {
    run_corpus("record", record);
}

/// A frame whose bytes are these.
fn of_bytes(bytes: &[u8]) -> Vec<u8> {
    let [head, tail] = [header(Tag::Data, bytes.len()), header(Tag::Complete, 8)];
    [&head, bytes, &tail, &(bytes.len() as u64).to_le_bytes()].concat()
}

/// A value that begins with this and goes on with a length that lies.
fn is_refused<T: DeserializeOwned + fmt::Debug>(before: &[u8], after: &[u8]) {
    for lie in [1 << 31, 1 << 40, 1 << 60, 1 << 63, u64::MAX] {
        let bytes = [before, &u64::to_le_bytes(lie), after].concat();
        let frame = of_bytes(&bytes);
        let (result, peak) =
            memory::peak_of(|| codec::decode::<T>(&mut Receiver::new(frame.as_slice())));
        let error = result.expect_err("there is not so much");
        assert_eq!(error.type_name(), std::any::type_name::<T>());
        assert_eq!(error.reason(), "io error: unexpected end of file", "{error}");
        assert!(peak <= 4 << 20, "{peak} bytes for a length of {lie} in {}", error.type_name());
    }
}

#[test]
fn a_length_that_lies_is_an_error_wherever_it_is() {
    is_refused::<String>(&[], b"only this");
    is_refused::<Box<str>>(&[], b"");
    is_refused::<CString>(&[], b"only this");
    is_refused::<Vec<u8>>(&[], &[7; 100]);
    is_refused::<Vec<u64>>(&[], &[7; 100]);
    is_refused::<Vec<String>>(&[], &[0; 80]);
    is_refused::<Vec<Option<u128>>>(&[], &[0; 100]);
    is_refused::<HashMap<u64, u64>>(&[], &[7; 64]);
    is_refused::<BTreeMap<String, bool>>(&[], &[0; 90]);
    // Behind others: in a field, an element, a variant, a key and a value.
    is_refused::<(u8, String)>(&[1], b"");
    is_refused::<Vec<Vec<u32>>>(&2u64.to_le_bytes(), &[7; 40]);
    is_refused::<Result<bool, Option<String>>>(&[1, 0, 0, 0, 1], b"");
    is_refused::<BTreeMap<String, u8>>(&1u64.to_le_bytes(), b"");
    is_refused::<BTreeMap<u8, String>>(&[1, 0, 0, 0, 0, 0, 0, 0, 9], b"");
}

#[test]
fn a_total_that_lies_is_no_end() {
    for lie in [0, 4, 6, 1 << 60, 1 << 63, u64::MAX] {
        let mut frame = of_bytes(&[1, 2, 3, 4, 5]);
        frame.splice(21.., u64::to_le_bytes(lie));
        assert!(received::<[u8; 5]>(&frame, &[]).is_none(), "{lie}");
    }
    assert!(received::<[u8; 5]>(&of_bytes(&[1, 2, 3, 4, 5]), &[]).is_some());
}

/// As deep as a stack of 2 MiB can never be.
const DEPTH: usize = 1 << 20;

fn is_too_deep<T: DeserializeOwned>(bytes: &[u8]) {
    let result = codec::decode::<T>(&mut Receiver::new(of_bytes(bytes).as_slice()));
    let Err(error) = result else { panic!("it did fit") };
    assert!(error.reason().contains("nested too deeply"), "{error}");
}

#[test]
fn a_value_too_deep_for_the_stack_is_an_error() {
    is_too_deep::<Link>(&vec![1; DEPTH]);
    is_too_deep::<Tree>(&1u64.to_le_bytes().repeat(DEPTH / 8));
}

/// The portable path does not know how large a stack is, and takes it for one of Rust's own.
#[test]
#[cfg(all(target_os = "linux", not(timeout_portable)))]
fn a_small_stack_is_known_to_be_small() {
    let small = std::thread::Builder::new().stack_size(256 << 10);
    small.spawn(|| is_too_deep::<Link>(&vec![1; DEPTH])).unwrap().join().unwrap();
}

#[test]
fn a_value_that_is_as_deep_as_values_are_comes_back() {
    let mut bytes = vec![1; 500];
    bytes.push(0);
    let link = received::<Link>(&of_bytes(&bytes), &[]).unwrap();
    let links = std::iter::successors(Some(&link), |link| link.0.as_deref());
    assert_eq!(links.count(), 501);
}

#[test]
fn a_chain_of_sources_without_end_is_cut() {
    let error = RemoteError::from_chain(vec!["why".to_owned(); DEPTH / 8]);
    let sources = std::iter::successors(error.source(), |error| (*error).source());
    assert_eq!(sources.count(), 127);
    assert_eq!(RemoteError::chain_of(&error).len(), 128);
}

#[test]
fn a_stack_of_any_addresses_can_be_shown() {
    let of = |addresses| Trace::new(Stack::of_panic(addresses).unwrap(), "");
    let trace = of(vec![0, 1, 1 << 47, u64::MAX]);
    assert!(cfg!(not(feature = "backtrace")) || trace.to_string().contains("0xffffffffffffffff"));
    let endless = of(vec![u64::MAX; DEPTH]);
    assert!(endless.frames().len() <= 256);
}

#[test]
fn a_value_comes_back_however_it_is_cut() {
    let value = vec![(Some('é'), String::from("text"), 1.5), (None, String::new(), f64::MAX)];
    for lengths in [&[][..], &[0], &[1; 100], &[3, 0, 7, 200]] {
        for steps in [&[][..], &[0], &[9, 2]] {
            let back = received(&framed(&value, lengths), steps);
            assert_eq!(back.as_ref(), Some(&value), "{lengths:?} {steps:?}");
        }
    }
    assert_eq!(received(&sent(&value), &[4]), Some(value));
}
