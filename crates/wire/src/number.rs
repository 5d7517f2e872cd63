//! Numbers of header fields: those with a bound, those with names, and codes.

/// A number of fewer bits than its integer: a newtype with `MAX` and a fallible constructor.
macro_rules! bounded {
    ($(#[$doc:meta])* $name:ident: $int:ty, $max:expr, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name($int);

        impl $name {
            /// The greatest number.
            pub const MAX: $int = $max;

            /// This number, where it fits.
            ///
            /// # Errors
            /// Where it is above [`Self::MAX`].
            pub fn new(number: $int) -> Result<Self, $crate::error::OutOfRange> {
                Self::try_from(usize::try_from(number).unwrap_or(usize::MAX))
            }

            /// The number.
            #[inline]
            #[must_use]
            pub const fn get(self) -> $int {
                self.0
            }
        }

        impl TryFrom<usize> for $name {
            type Error = $crate::error::OutOfRange;

            fn try_from(value: usize) -> Result<Self, Self::Error> {
                match <$int>::try_from(value) {
                    Ok(number) if number <= Self::MAX => Ok(Self(number)),
                    _ => Err($crate::error::OutOfRange {
                        what: $what,
                        value,
                        max: usize::try_from(Self::MAX).unwrap_or(usize::MAX),
                    }),
                }
            }
        }

        impl core::fmt::Display for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                core::fmt::Display::fmt(&self.0, f)
            }
        }

        #[cfg(test)]
        impl proptest::arbitrary::Arbitrary for $name {
            type Parameters = ();
            type Strategy = proptest::strategy::BoxedStrategy<Self>;

            fn arbitrary_with((): ()) -> Self::Strategy {
                use proptest::strategy::Strategy;
                (0..=Self::MAX).prop_map(Self).boxed()
            }
        }
    };
}

/// A number whose values IANA or the IEEE hands out: any may come, some have names.
macro_rules! registry {
    ($(#[$doc:meta])* $name:ident: $int:ty, $unknown:literal {
        $($(#[$value_doc:meta])* $value:ident = $number:literal, $text:literal;)*
    }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub $int);

        impl $name {
            $($(#[$value_doc])* pub const $value: Self = Self($number);)*

            /// The number.
            #[inline]
            #[must_use]
            pub const fn get(self) -> $int {
                self.0
            }
        }

        impl From<$int> for $name {
            fn from(number: $int) -> Self {
                Self(number)
            }
        }

        impl From<$name> for $int {
            fn from(number: $name) -> Self {
                number.0
            }
        }

        impl core::fmt::Display for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                match *self {
                    $(Self::$value => f.write_str($text),)*
                    Self(number) => write!(f, $unknown, number),
                }
            }
        }
    };
}

/// The codes of one ICMP type, closed: an unknown code has no meaning.
macro_rules! codes {
    ($(#[$doc:meta])* $name:ident { $($(#[$code_doc:meta])* $code:ident = $number:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$code_doc])* $code,)*
        }

        impl $name {
            /// The code, where the type has it.
            #[must_use]
            pub const fn of_code(code: u8) -> Option<Self> {
                match code {
                    $($number => Some(Self::$code),)*
                    _ => None,
                }
            }

            /// The code.
            #[must_use]
            pub const fn code(self) -> u8 {
                match self {
                    $(Self::$code => $number,)*
                }
            }
        }
    };
}

pub(crate) use {bounded, codes, registry};
