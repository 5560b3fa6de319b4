//! Lines as terminals show them.

use proptest::prelude::*;

use super::*;

fn html(text: &str) -> String {
    line(&mut Style::default(), text)
}

#[test]
fn lines_as_terminals_show_them() {
    for (text, expected) in [
        ("plain", "plain"),
        ("<script>alert('1 & 2')</script>\"", "&lt;script&gt;alert(&#39;1 &amp; 2&#39;)&lt;/script&gt;&quot;"),
        ("\u{1b}[31mred\u{1b}[0m plain", "<span class=\"f1\">red</span> plain"),
        ("\u{1b}[1m\u{1b}[32m<b>\u{1b}[m", "<span class=\"f2 sb\">&lt;b&gt;</span>"),
        ("\u{1b}[31m\u{1b}[0m", ""),
        // A progress bar.
        ("10%\r20%\r100%", "100%"),
        ("long line\rab", "abng line"),
        ("long line\r\u{1b}[Kab", "ab"),
        ("done\r", "done"),
        ("abc\u{1b}[2Kd", "   d"),
        ("abc\u{1b}[1Kd", "   d"),
        ("abc\u{8}\u{8}X", "aXc"),
        ("\u{8}a\tb\u{0}\u{7}\u{7f}c\u{9b}", "a\tbc"),
        // Everything else goes.
        ("a\u{1b}[2J\u{1b}[10;20H\u{1b}[?25lb", "ab"),
        ("a\u{1b}]0;title\u{7}b\u{1b}]8;;https://x\u{1b}\\c", "abc"),
        ("a\u{1b}]0;no end", "a"),
        ("a\u{1b}(Bb\u{1b}=c\u{1b}", "abc"),
        ("a\u{1b}[31", "a"),
        ("a\u{1b}[3\u{fc}b", "a\u{fc}b"),
    ] {
        assert_eq!(html(text), expected, "{text:?}");
    }
}

#[test]
fn a_style_lasts_over_lines() {
    let mut style = Style::default();
    assert_eq!(line(&mut style, "\u{1b}[33ma"), "<span class=\"f3\">a</span>");
    assert_eq!(line(&mut style, "b\u{1b}[0m"), "<span class=\"f3\">b</span>");
    assert_eq!(line(&mut style, "c"), "c");
}

#[test]
fn a_line_is_bounded_and_says_so() {
    let shown = html(&"x".repeat(LONGEST_LINE + 1));
    assert!(shown.len() < LONGEST_LINE + 100 && shown.ends_with(CUT));
    assert_eq!(html(&"x".repeat(LONGEST_LINE)).len(), LONGEST_LINE);
    let parameters = "1;".repeat(LONGEST_SEQUENCE);
    assert_eq!(html(&format!("\u{1b}[{parameters}ma")), "a");
}

/// The text between tags.
fn text(html: &str) -> String {
    let mut text = String::new();
    let mut inside = false;
    for letter in html.chars() {
        match letter {
            '<' => inside = true,
            '>' => inside = false,
            letter if !inside => text.push(letter),
            _ => {}
        }
    }
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&#39;", "'").replace("&amp;", "&")
}

proptest! {
    #[test]
    fn printable_text_is_kept_as_it_is(given in "[ -~äöü€🙂]{0,200}") {
        prop_assert_eq!(text(&html(&given)), given);
    }

    #[test]
    fn nothing_but_our_own_tags_comes_out(given in "([\u{1b}\\[\\]0-9;:mKJ<>&\"'\r\u{8}\u{7}a-f]{0,200})") {
        let shown = html(&given);
        let tags = shown.matches('<').count();
        let ours = shown.matches("<span class=\"").count() + shown.matches("</span>").count();
        prop_assert_eq!(tags, ours);
        prop_assert_eq!(shown.matches("<span").count(), shown.matches("</span>").count());
    }
}
