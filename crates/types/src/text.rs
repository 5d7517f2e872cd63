//! How values are read from text and written to it.

/// The number that `text` is in decimal: digits only, no sign, no leading zero.
///
/// `None` also where the number needs more than 64 bits.
pub(crate) fn decimal(text: &str) -> Option<u64> {
    let digits_only = text.bytes().all(|b| b.is_ascii_digit());
    let leading_zero = text.len() > 1 && text.starts_with('0');
    if digits_only && !leading_zero {
        text.parse().ok()
    } else {
        None
    }
}

/// The number that `text` is in exactly `digits` hexadecimal digits.
pub(crate) fn hexadecimal(text: &str, digits: usize) -> Option<u64> {
    let digits_only = text.bytes().all(|b| b.is_ascii_hexdigit());
    if digits_only && text.len() == digits {
        u64::from_str_radix(text, 16).ok()
    } else {
        None
    }
}

/// Implements serde for a type through its `Display` and `FromStr`: one form everywhere.
macro_rules! serde_as_text {
    ($type:ty) => {
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <alloc::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

pub(crate) use serde_as_text;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimal_takes_plain_digits_only() {
        assert_eq!(decimal("0"), Some(0));
        assert_eq!(decimal("18446744073709551615"), Some(u64::MAX));
        for text in [
            "",
            "+1",
            "-1",
            "01",
            " 1",
            "1 ",
            "1_0",
            "0x1",
            "18446744073709551616",
        ] {
            assert_eq!(decimal(text), None, "{text:?}");
        }
    }

    #[test]
    fn hexadecimal_takes_the_exact_width() {
        assert_eq!(hexadecimal("fF", 2), Some(0xff));
        for text in ["", "f", "0ff", "+f", "0x", "g0"] {
            assert_eq!(hexadecimal(text, 2), None, "{text:?}");
        }
    }
}
