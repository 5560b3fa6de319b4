//! The 256 colours of terminals. Colours by value become the nearest of them: a page whose policy forbids inline styles
//! needs a class for each.

/// Levels of red, green and blue in the cube, colours 16 to 231.
const LEVELS: [u8; 6] = [0, 95, 135, 175, 215, 255];

/// The first sixteen, chosen to be read on the log's dark ground (`--log-ground` in `console.css`).
const NAMED: [&str; 16] = [
    "#6b7280", "#f87171", "#4ade80", "#facc15", "#60a5fa", "#e879f9", "#22d3ee", "#d1d5db", //
    "#9ca3af", "#fca5a5", "#86efac", "#fde047", "#93c5fd", "#f0abfc", "#67e8f9", "#ffffff",
];

/// The colour of the cube or the greys that is nearest.
pub(super) fn nearest(red: u8, green: u8, blue: u8) -> u8 {
    let distance = |[r, g, b]: [u8; 3]| {
        let square = |left: u8, right: u8| u32::from(left.abs_diff(right)).pow(2);
        square(red, r) + square(green, g) + square(blue, b)
    };
    (16..=255).min_by_key(|number| distance(value(*number))).unwrap_or(16)
}

/// Red, green and blue of colours 16 to 255.
fn value(number: u8) -> [u8; 3] {
    let index = number.saturating_sub(16);
    if number >= 232 {
        return [8 + 10 * (number - 232); 3];
    }
    [index / 36, index / 6 % 6, index % 6].map(|level| LEVELS[usize::from(level.min(5))])
}

fn css(number: u8) -> String {
    match NAMED.get(usize::from(number)) {
        Some(named) => (*named).to_owned(),
        None => format!("#{}", hex::encode(value(number))),
    }
}

/// A class for each colour of text (`f`) and ground (`g`).
pub(crate) fn style_sheet() -> String {
    (0..=255u8).map(|number| format!(".f{number}{{color:{0}}}.g{number}{{background:{0}}}\n", css(number))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_colour_is_the_nearest_to_itself() {
        for number in 16..=255 {
            let [red, green, blue] = value(number);
            // Four greys are in the cube, too.
            assert_eq!(value(nearest(red, green, blue)), value(number));
        }
    }

    #[test]
    fn known_colours() {
        for (number, text) in
            [(16, "#000000"), (21, "#0000ff"), (196, "#ff0000"), (231, "#ffffff"), (232, "#080808"), (255, "#eeeeee")]
        {
            assert_eq!(css(number), text);
        }
        assert_eq!(nearest(250, 10, 5), 196);
        assert_eq!(style_sheet().lines().count(), 256);
    }
}
