//! Functions as people write them, under the lints that people set, in a scope that hides whatever
//! a careless expansion would need. That it compiles is half of the test.
#![deny(warnings, missing_docs, clippy::pedantic, unsafe_op_in_unsafe_fn)]

use ::std::borrow::Cow;
use ::std::collections::{BTreeMap, HashMap};
use ::std::fmt::{Debug, Display};
use ::std::marker::PhantomData;
use ::std::ops::Add;
use ::std::rc::Rc;
use ::std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use timeout_runtime::timeout;

// What an expansion must not trip over.
mod core {}
mod std {}
mod alloc {}
type Result<T> = ::core::result::Result<T, String2>;
#[allow(non_snake_case, dead_code)]
fn Some() {}

/// An error that serializes.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub struct String2(String);

impl From<timeout_runtime::Error> for String2 {
    fn from(error: timeout_runtime::Error) -> Self {
        Self(error.to_string())
    }
}

macro_rules! check {
    ($($call:expr => $expected:expr),* $(,)?) => {$(assert_eq!($call.unwrap(), $expected);)*};
}

mod cooperative {
    use super::*;

    // As short as it gets: no lint may speak of braces that the expansion adds.
    #[rustfmt::skip]
    #[timeout(60)]
    pub async fn short(text: &str) -> usize { text.len() }

    #[timeout(60)]
    pub async fn unit() {
        short("").await.unwrap();
    }
    #[timeout(60, wrap)]
    pub async fn with_an_inner_attribute() -> u8 {
        #![allow(clippy::needless_return)]
        return 3;
    }
    #[timeout(60, wrap)]
    pub async fn nameless() -> impl Iterator<Item = u8> {
        1..3
    }
    #[timeout(60)]
    pub async fn fallible(a: u8) -> Result<u8> {
        println!("a macro comes first");
        a.checked_add(1).ok_or_else(|| String2("too large".to_owned()))
    }

    #[tokio::test]
    async fn all() {
        unit().await.unwrap();
        assert_eq!(short("two").await.unwrap(), 3);
        assert_eq!(with_an_inner_attribute().await.unwrap(), 3);
        assert_eq!(nameless().await.unwrap().count(), 2);
        assert_eq!(fallible(1).await.unwrap(), 2);
        assert_eq!(fallible(255).await.unwrap_err(), String2("too large".to_owned()));
    }
}

mod free {
    use super::*;

    /// Documented, public, plain.
    #[timeout(60)]
    pub fn plain(a: u8) -> u8 {
        a + 1
    }
    #[timeout(60)]
    pub(crate) fn restricted() -> bool {
        true
    }
    #[timeout(60)]
    pub(in crate::free) fn in_path() -> bool {
        true
    }
    #[timeout(60)]
    fn unit() {}
    #[timeout(60)]
    fn early_return(a: u8) -> u8 {
        if a > 1 {
            return 9;
        }
        a
    }
    #[timeout(60)]
    fn question_mark(text: &str) -> Result<u32> {
        let value: u32 = text.parse().map_err(|_| String2("bad".into()))?;
        Ok(value)
    }
    #[timeout(60)]
    fn option(a: u8) -> Option<u8> {
        a.checked_sub(1)
    }
    #[timeout(60)]
    #[must_use]
    pub fn must_use_it() -> u8 {
        7
    }
    #[must_use = "for a reason"]
    #[timeout(60)]
    pub fn must_use_it_above() -> u8 {
        7
    }
    #[timeout(60)]
    #[inline]
    fn inlined() -> u8 {
        7
    }
    #[timeout(60)]
    #[track_caller]
    fn tracked() -> u8 {
        7
    }
    #[timeout(60)]
    #[cold]
    #[inline(never)]
    fn cold() -> u8 {
        7
    }
    #[cfg(unix)]
    #[timeout(60)]
    fn configured() -> u8 {
        7
    }
    #[cfg(not(unix))]
    #[timeout(60)]
    fn configured() -> NoSuchType {
        7
    }
    #[cfg_attr(unix, timeout(60, panic))]
    fn by_cfg_attr() -> u8 {
        7
    }
    #[timeout(60)]
    #[deprecated]
    #[allow(dead_code)]
    pub fn deprecated() {}
    #[timeout(60, on_timeout = -1)]
    extern "C" fn in_c(a: i32) -> i32 {
        a * 2
    }
    /// # Safety
    ///
    /// None.
    #[timeout(60)]
    pub unsafe fn not_safe(pointer: *const u8) -> u8 {
        unsafe { *pointer }
    }
    #[timeout(60)]
    fn r#match(r#type: u8) -> u8 {
        r#type
    }

    #[test]
    fn run() {
        check! {
            plain(1) => 2, restricted() => true, in_path() => true, unit() => (),
            early_return(0) => 0, early_return(5) => 9, question_mark("12") => 12,
            option(0) => None, must_use_it() => 7, must_use_it_above() => 7, inlined() => 7,
            tracked() => 7, cold() => 7, configured() => 7, r#match(3) => 3,
        }
        assert_eq!(question_mark("x"), Err(String2("bad".into())));
        assert_eq!((by_cfg_attr(), in_c(4)), (7, 8));
        assert_eq!(unsafe { not_safe(&raw const *b"x".first().unwrap()) }.unwrap(), b'x');
    }
}

mod arguments {
    use super::*;

    /// Has a lifetime and is passed by value.
    #[derive(Clone, Copy)]
    pub struct View<'a>(&'a [u8]);

    #[timeout(60)]
    fn references<'a>(a: &'a str, b: &'a [u8], c: &u8) -> usize {
        a.len() + b.len() + usize::from(*c)
    }
    #[timeout(60)]
    fn trait_object(a: &dyn Display) -> String {
        a.to_string()
    }
    #[timeout(60)]
    fn boxed(a: Box<dyn Fn(u8) -> u8>) -> u8 {
        a(1)
    }
    #[timeout(60)]
    fn patterns((a, _): (u8, u8), [b, .., c]: [u8; 4], View(d): View<'_>) -> usize {
        usize::from(a + b + c) + d.len()
    }
    #[timeout(60)]
    fn mutable(mut a: Vec<u8>, mut b: u8) -> Vec<u8> {
        b += 1;
        a.push(b);
        a
    }
    #[timeout(60)]
    fn ignored(_: u8, _unused: String) -> u8 {
        1
    }
    #[timeout(60)]
    fn closures(
        f: impl Fn(u8) -> u8,
        mut g: impl FnMut() -> u8,
        h: impl FnOnce() -> String,
    ) -> String {
        format!("{}{}{}", f(1), g(), h())
    }
    #[timeout(60)]
    fn function_pointer(f: fn(u8) -> u8) -> u8 {
        f(1)
    }
    #[timeout(60)]
    fn iterator(a: impl Iterator<Item = u8>) -> u32 {
        a.map(u32::from).sum()
    }
    #[timeout(60)]
    fn shared(a: Rc<u8>, b: Arc<u8>) -> u8 {
        *a + *b
    }
    #[timeout(60)]
    fn mutable_slice(a: &mut [u8]) {
        a.reverse();
    }
    #[timeout(60)]
    fn mutable_with_lifetime<'a>(a: &'a mut Vec<u8>, b: &'a u8) -> usize {
        a.push(*b);
        for byte in a.iter_mut() {
            *byte += 1;
        }
        a.len()
    }
    #[timeout(60)]
    fn mutable_iterated(a: &mut Vec<u8>) -> u8 {
        let mut sum = 0;
        for byte in a {
            *byte += 1;
            sum += *byte;
        }
        sum
    }
    #[timeout(60, local(a))]
    fn mutable_local(a: &mut dyn Iterator<Item = u8>) -> Option<u8> {
        a.next()
    }
    #[timeout(limit, grace = limit)]
    fn named_like_the_macros_own(
        child: u8,
        call: u8,
        route: u8,
        result: u8,
        carried_0: &mut u8,
        wire_0: u8,
        limit: u8,
    ) -> u8 {
        *carried_0 += 1;
        child + call + route + result + wire_0 + limit
    }
    #[timeout(60)]
    fn cow(a: Cow<'_, str>) -> Cow<'static, str> {
        Cow::Owned(a.into_owned())
    }
    #[timeout(60)]
    fn maps(a: &HashMap<String, u8>) -> BTreeMap<String, u8> {
        a.iter().map(|(key, value)| (key.clone(), *value)).collect()
    }

    #[test]
    fn run() {
        let mut count = 0;
        let counter = move || {
            count += 1;
            count
        };
        check! {
            references("ab", b"c", &1) => 4, trait_object(&12) => "12", boxed(Box::new(|a| a + 1)) => 2,
            patterns((1, 2), [3, 0, 0, 4], View(b"xyz")) => 11, mutable(vec![1], 1) => [1, 2],
            ignored(1, String::new()) => 1, closures(|a| a, counter, || "x".into()) => "11x",
            function_pointer(|a| a + 6) => 7, iterator([1, 2, 3].into_iter()) => 6,
            shared(Rc::new(1), Arc::new(2)) => 3, cow("a".into()) => "a",
            maps(&HashMap::from([("k".to_owned(), 1)])) => BTreeMap::from([("k".to_owned(), 1)]),
        }
        let mut bytes = vec![1, 2];
        mutable_slice(&mut bytes).unwrap();
        assert_eq!(mutable_with_lifetime(&mut bytes, &7).unwrap(), 3);
        assert_eq!((mutable_iterated(&mut bytes).unwrap(), &*bytes), (16, &[4, 3, 9][..]));
        assert_eq!(mutable_local(&mut [5].into_iter()).unwrap(), ::std::option::Option::Some(5));
        let mut carried = 1;
        assert_eq!(named_like_the_macros_own(1, 2, 3, 4, &mut carried, 5, 9).unwrap(), 24);
        assert_eq!(carried, 2);
    }
}

mod generics {
    use super::*;

    #[timeout(60)]
    fn bounds<T: Clone + Serialize + DeserializeOwned>(a: &T) -> T {
        a.clone()
    }
    #[timeout(60)]
    fn in_where<T, U>(a: T, b: U) -> <T as Add<U>>::Output
    where
        T: Add<U>,
        <T as Add<U>>::Output: Serialize + DeserializeOwned,
    {
        a + b
    }
    #[timeout(60)]
    fn constants<const N: usize>(a: [u8; N]) -> Vec<u8> {
        a.to_vec()
    }
    #[timeout(60)]
    fn lifetimes<'a, 'b: 'a>(a: &'a str, b: &'b str) -> String {
        format!("{a}{b}")
    }
    #[timeout(60)]
    fn only_as_argument<T: ?Sized + Debug>(a: &T) -> String {
        format!("{a:?}")
    }
    #[timeout(60)]
    fn phantom<T>(_: PhantomData<T>) -> usize {
        size_of::<T>()
    }
    #[timeout(60)]
    fn higher_ranked<F>(f: F) -> usize
    where
        F: for<'a> Fn(&'a str) -> &'a str,
    {
        f("text").len()
    }
    #[timeout(60)]
    fn mutable<T: Serialize + DeserializeOwned + Default>(a: &mut T) -> T {
        ::core::mem::take(a)
    }
    #[timeout(60)]
    fn mutable_elements<T: Serialize + DeserializeOwned>(a: &mut [T]) {
        a.reverse();
    }
    #[timeout(60)]
    fn recursive(n: u64) -> u64 {
        if n < 2 { n } else { recursive(n - 1).unwrap() + 1 }
    }
    #[timeout(60)]
    fn even(n: u8) -> bool {
        n == 0 || odd(n - 1).unwrap()
    }
    #[timeout(60)]
    fn odd(n: u8) -> bool {
        n != 0 && even(n - 1).unwrap()
    }

    #[test]
    fn run() {
        check! {
            bounds(&vec![1, 2]) => [1, 2], in_where(1u8, 2u8) => 3, constants([1, 2, 3]) => [1, 2, 3],
            lifetimes("a", "b") => "ab", only_as_argument("x") => "\"x\"",
            phantom(PhantomData::<u64>) => 8, higher_ranked(|text| &text[1..]) => 3,
            recursive(4) => 4, even(3) => false,
        }
        let mut text = "taken".to_owned();
        assert_eq!((mutable(&mut text).unwrap(), &*text), ("taken".to_owned(), ""));
        let mut list = [1, 2, 3];
        mutable_elements(&mut list).unwrap();
        assert_eq!(list, [3, 2, 1]);
    }
}

mod methods {
    use super::*;

    /// Serializes, so that `&mut self` is carried back.
    #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
    pub struct Stack<T> {
        items: Vec<T>,
    }

    impl<T> Stack<T>
    where
        T: Clone + Serialize + DeserializeOwned,
    {
        /// Associated.
        #[timeout(60, panic)]
        pub fn of(items: &[T]) -> Self {
            Self { items: items.to_vec() }
        }
        #[timeout(60)]
        fn len(&self) -> usize {
            self.items.len()
        }
        #[timeout(60)]
        fn push(&mut self, item: T) -> usize {
            self.items.push(item);
            self.items.len()
        }
        #[timeout(60)]
        fn into_items(self) -> Vec<T> {
            self.items
        }
        #[timeout(60)]
        fn mutable_self_by_value(mut self, item: T) -> Self {
            self.items.push(item);
            self
        }
        #[timeout(60)]
        fn boxed(self: Box<Self>) -> Vec<T> {
            self.items
        }
        #[timeout(60)]
        fn counted(self: Arc<Self>) -> usize {
            self.items.len()
        }
        #[timeout(60)]
        fn counted_here(self: &Rc<Self>) -> usize {
            self.items.len()
        }
        #[allow(clippy::needless_arbitrary_self_type)]
        #[timeout(60)]
        fn typed(self: &mut Self) {
            self.items.clear();
        }
        #[timeout(self.items.len())]
        fn limited_by_itself(&self) -> usize {
            Self::associated().unwrap()
        }
        #[timeout(60)]
        fn associated() -> usize {
            size_of::<T>()
        }
        #[timeout(60, original = copied_here)]
        fn copied_out(&self) -> Self {
            self.clone()
        }
    }

    /// With default bodies.
    pub trait Shape {
        /// Associated.
        const SIDES: u32;
        /// Required.
        fn area(&self) -> u64;
        /// A default body.
        #[timeout(60)]
        fn doubled(&self) -> u64 {
            self.area() * 2
        }
        /// A default body without `self`.
        #[timeout(60)]
        fn sides() -> u32 {
            Self::SIDES
        }
        /// To be overridden.
        fn name(&self) -> Result<String>;
    }

    struct Square(u64);

    impl Shape for Square {
        const SIDES: u32 = 4;
        #[timeout(60, panic)]
        fn area(&self) -> u64 {
            self.0 * self.0
        }
        #[timeout(60)]
        fn name(&self) -> Result<String> {
            Ok(format!("square of {}", self.0))
        }
    }

    impl Iterator for Stack<u8> {
        type Item = u8;
        #[timeout(60, panic)]
        fn next(&mut self) -> Option<Self::Item> {
            self.items.pop()
        }
    }

    #[test]
    fn run() {
        let mut stack = Stack::of(&[1u8, 2]);
        check! {
            stack.len() => 2, stack.push(3) => 3, stack.clone().into_items() => [1, 2, 3],
            stack.clone().mutable_self_by_value(4) => Stack { items: vec![1, 2, 3, 4] },
            Box::new(stack.clone()).boxed() => [1, 2, 3], Arc::new(stack.clone()).counted() => 3,
            Rc::new(stack.clone()).counted_here() => 3, stack.limited_by_itself() => 1,
            stack.copied_out() => stack.copied_here(), Square(2).doubled() => 8, Square::sides() => 4,
            Square(2).name() => "square of 2",
        }
        assert_eq!(Square(3).area(), 9);
        assert_eq!(stack.next(), ::std::option::Option::Some(3));
        assert_eq!(stack.items, [1, 2]);
        stack.typed().unwrap();
        assert_eq!(stack, Stack::default());
    }
}

mod places {
    use super::*;

    macro_rules! make {
        ($(#[$attribute:meta])* $vis:vis fn $name:ident($argument:ident: $type:ty) -> $output:ty $body:block) => {
            $(#[$attribute])*
            #[timeout(60)]
            $vis fn $name($argument: $type) -> $output $body
        };
    }

    make! {
        /// Out of a macro.
        pub fn from_macro(a: u8) -> u8 { a + 1 }
    }
    make! { fn result_from_macro(a: u8) -> Result<u8> { Ok(a) } }
    make! { fn mutable_from_macro(a: &mut Vec<u8>) -> usize { a.push(1); a.len() } }
    make! { fn reference_from_macro(a: &str) -> String { a.to_uppercase() } }

    macro_rules! numbered {
        ($($name:ident $value:literal)*) => {$(
            #[timeout(60)]
            fn $name() -> u32 {
                $value
            }
        )*};
    }
    numbered! { n0 0 n1 1 n2 2 n3 3 n4 4 n5 5 n6 6 n7 7 n8 8 n9 9 }

    macro_rules! limited {
        ($limit:expr, $name:ident) => {
            #[timeout($limit)]
            fn $name() -> u8 {
                1
            }
        };
    }
    limited! { 60, by_expression }
    limited! { 30 + 30, by_sum }

    fn outer(base: u8) -> u8 {
        #[timeout(60)]
        fn inner(a: u8) -> u8 {
            #[timeout(60)]
            fn innermost(a: u8) -> u8 {
                a + 1
            }
            innermost(a).unwrap() + 1
        }
        let closure = |a: u8| {
            #[timeout(60, panic)]
            fn in_closure(a: u8) -> u8 {
                a + 1
            }
            in_closure(a)
        };
        closure(inner(base).unwrap())
    }

    #[timeout(60)]
    fn with_items() -> u8 {
        const BASE: u8 = 3;
        struct Local(u8);
        impl Local {
            fn get(&self) -> u8 {
                self.0
            }
        }
        Local(BASE).get()
    }

    #[timeout(60)]
    fn anyhow_result(fails: bool) -> anyhow::Result<u8> {
        if fails {
            anyhow::bail!("failed");
        }
        anyhow::Ok(1)
    }
    #[timeout(60)]
    fn io_result() -> ::std::io::Result<u64> {
        Ok(::std::fs::metadata("/")?.len())
    }
    #[timeout(60)]
    fn boxed_result() -> ::core::result::Result<u8, Box<dyn ::std::error::Error + Send + Sync>> {
        Ok("12".parse()?)
    }
    #[timeout(60)]
    fn result_of_nothing() -> Result<()> {
        Ok(())
    }
    #[timeout(60, wrap)]
    fn wrapped() -> ::core::result::Result<u8, ()> {
        Err(())
    }
    #[timeout(60, on_timeout = fallback)]
    fn with_fallback(fallback: u8) -> u8 {
        fallback + 1
    }

    #[test]
    fn run() {
        check! {
            from_macro(1) => 2, result_from_macro(1) => 1, reference_from_macro("a") => "A",
            mutable_from_macro(&mut vec![1]) => 2, by_expression() => 1, by_sum() => 1,
            with_items() => 3, anyhow_result(false) => 1, boxed_result() => 12,
            result_of_nothing() => (), wrapped() => Err(()),
        }
        let numbers = [n0, n1, n2, n3, n4, n5, n6, n7, n8, n9];
        for (index, number) in (0..).zip(numbers) {
            assert_eq!(number().unwrap(), index);
        }
        assert_eq!(outer(1), 4);
        assert!(io_result().is_ok());
        assert_eq!(anyhow_result(true).unwrap_err().to_string(), "failed");
        assert_eq!(with_fallback(1), 2);
    }
}
