//! Which type a type is, where that has lifetimes in it or none that are known.
//!
//! # Safety
//!
//! A method is called that asks for `'static` and does nothing but name the type; and bytes are handed
//! on as what they are. (After the crates `typeid` and `castaway`.)
#![expect(unsafe_code, reason = "see the heading")]

use std::any::TypeId;
use std::marker::PhantomData;
use std::mem::{ManuallyDrop, transmute, transmute_copy};

/// As [`TypeId::of`], whatever lifetimes there are: they make no difference.
#[inline]
pub(crate) fn id_of<T: ?Sized>() -> TypeId {
    trait Named {
        fn id(&self) -> TypeId
        where
            Self: 'static;
    }
    impl<T: ?Sized> Named for PhantomData<T> {
        #[inline]
        fn id(&self) -> TypeId
        where
            Self: 'static,
        {
            TypeId::of::<T>()
        }
    }
    let named: &dyn Named = &PhantomData::<T>;
    // SAFETY: see the heading; there is nothing behind the reference.
    unsafe { transmute::<&dyn Named, &(dyn Named + 'static)>(named) }.id()
}

/// The bytes, where that is what is wanted.
#[inline]
pub(crate) fn bytes_as<T>(bytes: Vec<u8>) -> Option<T> {
    let bytes = ManuallyDrop::new(bytes);
    if id_of::<T>() == TypeId::of::<Vec<u8>>() {
        // SAFETY: the types are the same, for there is no lifetime in it; it is not dropped here.
        return Some(unsafe { transmute_copy(&bytes) });
    }
    drop(ManuallyDrop::into_inner(bytes));
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_told_apart_and_lifetimes_are_not() {
        fn id<'a>(_: &'a str) -> TypeId {
            id_of::<&'a str>()
        }
        let text = String::from("text");
        assert_eq!(id(&text), TypeId::of::<&'static str>());
        assert_ne!(id_of::<Vec<u8>>(), id_of::<Vec<i8>>());
        assert_eq!(bytes_as::<Vec<u8>>(vec![1, 2]), Some(vec![1, 2]));
        assert_eq!(bytes_as::<Vec<i8>>(vec![1, 2]), None);
    }
}
