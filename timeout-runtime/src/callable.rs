//! Functions by name, with their arguments as a tuple.

/// A function, or a closure that captures nothing, of the arguments `A`: a tuple of up to eight.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no function of these arguments that can be called in another process",
    label = "expected a function of the tuple's types, or a closure that captures nothing",
    note = "arguments come as a tuple: `(one,)` for one, `()` for none; for a closure that captures, \
            use `Timeout::run`"
)]
pub trait Callable<A, T>: Copy {
    /// Calls it.
    fn call(self, arguments: A) -> T;
}

macro_rules! callable {
    ($($name:ident)*) => {
        impl<Function, Value, $($name),*> Callable<($($name,)*), Value> for Function
        where
            Function: FnOnce($($name),*) -> Value + Copy,
        {
            #[allow(non_snake_case, reason = "they are named as their types")]
            #[allow(clippy::unused_unit, reason = "of a function without arguments")]
            fn call(self, ($($name,)*): ($($name,)*)) -> Value {
                self($($name),*)
            }
        }
    };
}

callable! {}
callable! { A }
callable! { A B }
callable! { A B C }
callable! { A B C D }
callable! { A B C D E }
callable! { A B C D E G }
callable! { A B C D E G H }
callable! { A B C D E G H I }

/// What runs in a child that is no copy of the caller.
#[cfg(feature = "pool")]
pub(crate) fn thunk<T, A, F>(
    arguments: &mut crate::remote::Arguments<'_>,
    sink: &mut crate::child::Sink<'_>,
) -> Result<(), crate::error::CodecError>
where
    T: serde::Serialize,
    A: serde::de::DeserializeOwned,
    F: Callable<A, T>,
{
    let function: F = crate::sys::function::only_value();
    let taken = arguments.take()?;
    arguments.end()?;
    let value = function.call(taken);
    let encoded = crate::codec::encode(&value, &mut sink.0);
    sink.let_go(value);
    encoded
}
