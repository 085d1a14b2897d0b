//! The options of the attribute that are values or closures, as types.

use std::marker::PhantomData;
use std::time::Duration;

use crate::coder::Coder;
use crate::equality::{Equality, Seen};
use crate::shape::{Kept, Never, Opened};

/// A ttl, the same for each value or by value.
pub trait Ttl<D> {
    /// The ttl of this value.
    fn ttl(&self, data: &D) -> Duration;
}

/// The same for each value.
pub struct Fixed(pub(super) Duration);

impl<D> Ttl<D> for Fixed {
    fn ttl(&self, _: &D) -> Duration {
        self.0
    }
}

/// By value.
pub struct PerValue<F>(pub(super) F);

impl<D, F: Fn(&D) -> Duration> Ttl<D> for PerValue<F> {
    fn ttl(&self, data: &D) -> Duration {
        (self.0)(data)
    }
}

/// What `ttl = expression` may be: a `Duration`, or the path of a function from the value to one.
/// `M` only keeps the two apart.
#[diagnostic::on_unimplemented(
    message = "`ttl` must be a duration, not `{Self}`",
    label = "not a duration",
    note = "write seconds (`60`, `0.25`), text (`\"5m\"`), an expression of type `Duration`, or a \
            closure `|value| -> Duration`"
)]
pub trait IntoTtl<D, M> {
    /// The ttl it becomes.
    type Ttl: Ttl<D>;
    /// Becomes it.
    fn into_ttl(self) -> Self::Ttl;
}

impl<D> IntoTtl<D, Fixed> for Duration {
    type Ttl = Fixed;

    fn into_ttl(self) -> Fixed {
        Fixed(self)
    }
}

impl<D, F: Fn(&D) -> Duration> IntoTtl<D, PerValue<()>> for F {
    type Ttl = PerValue<F>;

    fn into_ttl(self) -> PerValue<F> {
        PerValue(self)
    }
}

/// Which values are kept.
pub trait KeepIf<D> {
    /// Whether this one is.
    fn keeps(&self, data: &D) -> bool;
}

/// All.
pub struct Always;

impl<D> KeepIf<D> for Always {
    fn keeps(&self, _: &D) -> bool {
        true
    }
}

/// Those the closure is true of.
pub struct If<F>(pub(super) F);

impl<D, F: Fn(&D) -> bool> KeepIf<D> for If<F> {
    fn keeps(&self, data: &D) -> bool {
        (self.0)(data)
    }
}

/// Errors are not kept.
pub struct NoErrors<E>(pub(super) PhantomData<fn() -> E>);

/// Errors are kept, for this long.
pub struct KeepErrors<E> {
    pub(super) ttl: Duration,
    pub(super) fingerprint: u64,
    pub(super) coder: Coder<E>,
}

/// What a plan does with errors.
pub trait Failures<E> {
    /// How errors are kept, where they are.
    #[allow(private_interfaces, reason = "for the plan alone")]
    fn kept(&self) -> Option<(u64, &Coder<E>)>;
    /// For how long.
    fn ttl(&self) -> Option<Duration>;
}

impl<E> Failures<E> for NoErrors<E> {
    #[allow(private_interfaces, reason = "see the trait")]
    fn kept(&self) -> Option<(u64, &Coder<E>)> {
        None
    }

    fn ttl(&self) -> Option<Duration> {
        None
    }
}

impl<E> Failures<E> for KeepErrors<E> {
    #[allow(private_interfaces, reason = "see the trait")]
    fn kept(&self) -> Option<(u64, &Coder<E>)> {
        Some((self.fingerprint, &self.coder))
    }

    fn ttl(&self) -> Option<Duration> {
        Some(self.ttl)
    }
}

/// What is held of a result while its value is stored. An error that is not kept is never held across
/// an await, so that a future stays `Send` where only the error is not.
///
/// It is no part of [`Failures`]: the compiler forgets lifetimes when it asks whether a future is
/// `Send`, and could not find a trait of the error's own type then.
pub trait Hold {
    /// What is held of it.
    type Held<V, A, E>;
    /// Holds it; an error that is not kept comes back.
    ///
    /// # Errors
    /// With that error.
    fn hold<V, A, E>(opened: Opened<V, A, E>) -> Result<Self::Held<V, A, E>, E>;
    /// What was held.
    fn opened<V, A, E>(held: Self::Held<V, A, E>) -> Opened<V, A, E>;
}

impl<X> Hold for NoErrors<X> {
    type Held<V, A, E> = Kept<V, A>;

    fn hold<V, A, E>(opened: Opened<V, A, E>) -> Result<Kept<V, A>, E> {
        match opened {
            Opened::Value(value) => Ok(Kept::Value(value)),
            Opened::Absent(absence) => Ok(Kept::Absent(absence)),
            Opened::Failed(error) => Err(error),
        }
    }

    fn opened<V, A, E>(kept: Kept<V, A>) -> Opened<V, A, E> {
        match kept {
            Kept::Value(value) => Opened::Value(value),
            Kept::Absent(absence) => Opened::Absent(absence),
        }
    }
}

impl<X> Hold for KeepErrors<X> {
    type Held<V, A, E> = Opened<V, A, E>;

    fn hold<V, A, E>(opened: Opened<V, A, E>) -> Result<Opened<V, A, E>, E> {
        Ok(opened)
    }

    fn opened<V, A, E>(opened: Opened<V, A, E>) -> Opened<V, A, E> {
        opened
    }
}

/// A coder for what is never encoded: an envelope without a payload.
pub(super) fn no_payload() -> Coder<Never> {
    Coder {
        id: 0,
        name: "none",
        encode: |never| match *never {},
        decode: |_| Err(crate::codec::CodecError::new("nothing to decode")),
        equality: Equality::unknown(),
        seen: Seen::by_serde,
    }
}

/// Whether this build can compress.
#[diagnostic::on_unimplemented(
    message = "`compress` needs the feature `zstd` of cached-runtime",
    label = "the feature `zstd` is off",
    note = "in Cargo.toml: `cached-runtime = {{ version = \"…\", features = [\"zstd\"] }}`"
)]
pub trait ZstdFeature {}

/// Stands for compression by zstd.
pub struct Zstd;

#[cfg(feature = "zstd")]
impl ZstdFeature for Zstd {}
