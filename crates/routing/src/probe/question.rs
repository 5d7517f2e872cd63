//! What is sent end to end: 24 octets, big-endian.
//!
//! | octets | what |
//! |---|---|
//! | 0–3 | `rwpq`, or `rwpa` in the answer |
//! | 4 | version, 1 |
//! | 5–7 | zero when sent, ignored when received |
//! | 8–15 | token of the asker, drawn at random; the answer has it again |
//! | 16–19 | number; the answer has it again |
//! | 20–23 | zero; in the answer, nanoseconds from the arrival of the question to the departure of the answer |
//!
//! An answer is as long as its question and goes where that came from: nobody can have more sent to another than he
//! sends himself.

/// Octets of a question, and of an answer.
pub const LEN: usize = 24;
const QUESTION: [u8; 5] = *b"rwpq\x01";
const ANSWER: [u8; 5] = *b"rwpa\x01";

/// A question, or an answer to one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Question {
    /// The asker's token.
    pub token: u64,
    /// Its number.
    pub seq: u32,
}

impl Question {
    /// The octets.
    #[must_use]
    pub fn emit(&self) -> [u8; LEN] {
        let mut bytes = [0; LEN];
        bytes[..5].copy_from_slice(&QUESTION);
        bytes[8..16].copy_from_slice(&self.token.to_be_bytes());
        bytes[16..20].copy_from_slice(&self.seq.to_be_bytes());
        bytes
    }

    /// Reads an answer: which question it answers, and how long that was held.
    #[must_use]
    pub fn answered(bytes: &[u8]) -> Option<(Self, u32)> {
        let raw: &[u8; LEN] = bytes.try_into().ok()?;
        let rest = raw.strip_prefix(&ANSWER)?;
        let token = u64::from_be_bytes(*rest.get(3..)?.first_chunk()?);
        let seq = u32::from_be_bytes(*rest.get(11..)?.first_chunk()?);
        let held = u32::from_be_bytes(*rest.get(15..)?.first_chunk()?);
        Some((Self { token, seq }, held))
    }
}

/// The answer to a question that was held so many nanoseconds; none where the octets are no question.
#[must_use]
pub fn answer(question: &[u8], held: u32) -> Option<[u8; LEN]> {
    let mut bytes: [u8; LEN] = question.try_into().ok()?;
    if !bytes.starts_with(&QUESTION) {
        return None;
    }
    bytes[..5].copy_from_slice(&ANSWER);
    bytes[20..].copy_from_slice(&held.to_be_bytes());
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The bytes of version 1 never change; nor does this test.
    #[test]
    fn the_bytes_are_frozen() {
        let question = Question {
            token: 0x0102_0304_0506_0708,
            seq: 9,
        };
        let bytes = [
            0x72, 0x77, 0x70, 0x71, 1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 9, 0, 0, 0, 0,
        ];
        assert_eq!(question.emit(), bytes);
        let mut answered = bytes;
        (answered[3], answered[23]) = (0x61, 200);
        assert_eq!(answer(&bytes, 200), Some(answered));
        assert_eq!(Question::answered(&answered), Some((question, 200)));
        assert_eq!(answer(&answered, 1), None, "an answer is not answered");
        assert_eq!(Question::answered(&bytes), None);
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..40), held: u32) {
            prop_assert!(answer(&bytes, held).is_none() || bytes.starts_with(&QUESTION));
            prop_assert!(Question::answered(&bytes).is_none() || bytes.starts_with(&ANSWER));
        }
    }
}
