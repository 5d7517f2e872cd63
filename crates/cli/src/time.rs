//! Times as people write and read them.

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;
/// Days of 400 years of the Gregorian calendar.
const ERA: u64 = 146_097;

/// Reads a time such as 90s, 15m, 12h or 30d, in seconds.
pub(crate) fn seconds(text: &str) -> Result<u64, String> {
    let units = [("s", 1), ("m", MINUTE), ("h", HOUR), ("d", DAY)];
    let found = units
        .iter()
        .find_map(|(unit, length)| Some((text.strip_suffix(unit)?, *length)));
    let time = found.and_then(|(digits, length)| digits.parse::<u64>().ok()?.checked_mul(length));
    time.filter(|time| *time > 0)
        .ok_or_else(|| "a time is wanted, such as 90s, 15m, 12h or 30d".to_owned())
}

/// A time in milliseconds since 1970, to the second.
pub(crate) fn utc(millis: u64) -> String {
    let seconds = millis / 1000;
    let (year, month, day) = date(seconds / DAY);
    let (hour, minute, second) = (
        seconds % DAY / HOUR,
        seconds % HOUR / MINUTE,
        seconds % MINUTE,
    );
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// The date of a day since 1970. Years are counted from March on, so that leap days end them.
const fn date(days: u64) -> (u64, u64, u64) {
    // Day 0 of the count is 1 March of the year 0.
    let days = days + 719_468;
    let (era, of_era) = (days / ERA, days % ERA);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let (month, carry) = if month < 10 {
        (month + 3, 0)
    } else {
        (month - 9, 1)
    };
    (era * 400 + year + carry, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_to_the_second() {
        for (millis, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399_999, "2000-02-28T23:59:59Z"),
            (951_782_400_000, "2000-02-29T00:00:00Z"),
            (951_868_800_000, "2000-03-01T00:00:00Z"),
            (1_735_689_599_000, "2024-12-31T23:59:59Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(utc(millis), text);
        }
    }

    #[test]
    fn times_have_units() {
        assert_eq!(seconds("90s"), Ok(90));
        assert_eq!(seconds("30d"), Ok(2_592_000));
        for text in ["", "30", "0s", "d", "-1d", "99999999999999999d"] {
            assert!(seconds(text).is_err(), "{text}");
        }
    }
}
