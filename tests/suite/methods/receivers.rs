//! Decorated methods: what is done to their `self` there comes back.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::attribute::{End, FAILURES};
use super::{each, three_times};
use crate::support::LONG;

macro_rules! methods {
    ($start:tt) => {
        #[derive(Debug, PartialEq, Serialize, Deserialize)]
        pub struct Counter<T = u32> {
            pub count: T,
            pub log: Vec<String>,
        }
        impl Counter {
            #[timeout_runtime::timeout(how.limit(), start = $start)]
            pub fn add(&mut self, amount: u32, how: End) -> Result<u32, anyhow::Error> {
                self.count += amount;
                self.log.push(format!("added {}", amount));
                how.meet();
                if self.count > 100 {
                    anyhow::bail!("{} is too much", self.count);
                }
                Ok(self.count)
            }
            #[timeout_runtime::timeout(LONG, start = $start)]
            pub fn plus(&self, number: u32) -> u32 {
                // A `self` that is another's.
                struct Own(u32);
                impl Own {
                    fn get(&self) -> u32 {
                        self.0
                    }
                }
                let this = self;
                [this.count, Own(number).get()].iter().map(|n| n + self::zero()).sum()
            }
            #[timeout_runtime::timeout(LONG, start = $start, panic)]
            pub fn into_count(mut self) -> u32 {
                self.count += 1;
                self.count
            }
            #[timeout_runtime::timeout(LONG, start = $start)]
            pub fn described(&self) -> String {
                format!("{:?}", self)
            }
        }
        pub fn zero() -> u32 {
            0
        }
        pub trait Tally {
            const STEP: u32;
            fn tally(&mut self, times: u32) -> Result<u32, timeout_runtime::Error>;
            #[timeout_runtime::timeout(LONG, start = $start, panic)]
            fn step() -> u32
            where
                Self: Sized,
            {
                Self::STEP
            }
        }
        impl Tally for Counter {
            const STEP: u32 = 10;
            #[timeout_runtime::timeout(LONG, start = $start)]
            fn tally(&mut self, times: u32) -> Result<u32, timeout_runtime::Error> {
                self.count += Self::STEP * times;
                Ok(self.count)
            }
        }
        impl<T: Serialize + DeserializeOwned + Clone> Counter<T> {
            #[timeout_runtime::timeout(LONG, start = $start)]
            pub fn pair<U, const N: usize>(&self, others: &[U]) -> Vec<(T, U)>
            where
                U: Serialize + DeserializeOwned + Clone,
            {
                others.iter().take(N).map(|other| (self.count.clone(), other.clone())).collect()
            }
        }
    };
}

three_times!(of_a_type, methods);

#[test]
fn methods_run_with_their_self() {
    each!(of_a_type, {
        let mut counter = Counter { count: 1, log: vec![] };
        for how in FAILURES {
            counter.add(5, how).unwrap_err();
            assert_eq!(counter, Counter { count: 1, log: vec![] });
        }
        assert_eq!(counter.add(5, End::Return).unwrap(), 6);
        assert_eq!(counter, Counter { count: 6, log: vec!["added 5".into()] });
        assert_eq!(counter.plus(36).unwrap(), 42);
        assert_eq!(counter.tally(3).unwrap(), 36);
        assert_eq!(counter.count, 36);
        assert_eq!(Counter::step(), 10);
        assert!(counter.described().unwrap().starts_with("Counter { count: 36"));
        let error = counter.add(100, End::Return).unwrap_err();
        assert_eq!(error.to_string(), "136 is too much");
        assert_eq!(counter.into_count(), 137);
    });
}

#[test]
fn each_instance_of_a_generic_function_has_its_own_body() {
    each!(of_a_type, {
        let counter = Counter { count: "text".to_owned(), log: vec![] };
        assert_eq!(counter.pair::<u8, 1>(&[1, 2]).unwrap(), [("text".to_owned(), 1)]);
        let pairs = counter.pair::<String, 5>(&["a".into(), "b".into()]).unwrap();
        assert_eq!(pairs[1], ("text".to_owned(), "b".to_owned()));
        let counter = Counter { count: 'c', log: vec![] };
        assert_eq!(counter.pair::<(), 2>(&[()]).unwrap(), [('c', ())]);
    });
}
