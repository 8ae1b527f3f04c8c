//! A binary search that begins at a guess.
//!
//! Apart from its users because positions and keys are both spread so evenly that their places can be
//! computed almost exactly: the search then touches a few neighbours instead of lines of memory all over
//! a long list.

/// How many of the first `len` places satisfy `is_before`, which holds up to some place and not after it.
pub(crate) fn partition_near(len: usize, guess: usize, is_before: impl Fn(usize) -> bool) -> usize {
    if len == 0 {
        return 0;
    }
    let guess = guess.min(len - 1);
    // Invariant: all places below `low` are before, and none from `high` on is.
    let (mut low, mut high, mut step) = (0, len, 1);
    if is_before(guess) {
        low = guess + 1;
        while low + step <= high {
            if !is_before(low + step - 1) {
                high = low + step - 1;
                break;
            }
            low += step;
            step *= 2;
        }
    } else {
        high = guess;
        while step <= high {
            if is_before(high - step) {
                low = high - step + 1;
                break;
            }
            high -= step;
            step *= 2;
        }
    }
    while low < high {
        let middle = low + (high - low) / 2;
        if is_before(middle) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    low
}

#[cfg(test)]
mod tests {
    use super::partition_near;

    #[test]
    fn every_guess_leads_to_the_same_place() {
        for len in 0..40 {
            for n in 0..=len {
                for guess in 0..len + 3 {
                    let is_before = |at: usize| {
                        assert!(at < len, "looked past the end");
                        at < n
                    };
                    assert_eq!(partition_near(len, guess, is_before), n, "{len} {guess}");
                }
            }
        }
    }
}
