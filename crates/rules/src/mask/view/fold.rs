//! Unicode as its readers see it: what is invisible gone, digits and letters of any style plain, and
//! Cyrillic and Greek letters that look Latin as the Latin ones where a word mixes both.
//!
//! A small table of our own instead of NFKC (UAX 15) and the confusables of UTS 39: only what can stand in
//! a number, an address or a key. Words in another script stay as they are.

use super::View;

/// What becomes of one character.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fold {
    Keep,
    Gone,
    As(char),
}

/// The first digit of every block of ten decimal digits (general category Nd) outside ASCII, in order.
const ZEROS: [u32; 63] = [
    0x660, 0x6F0, 0x7C0, 0x966, 0x9E6, 0xA66, 0xAE6, 0xB66, 0xBE6, 0xC66, 0xCE6, 0xD66, 0xDE6,
    0xE50, 0xED0, 0xF20, 0x1040, 0x1090, 0x17E0, 0x1810, 0x1946, 0x19D0, 0x1A80, 0x1A90, 0x1B50,
    0x1BB0, 0x1C40, 0x1C50, 0xA620, 0xA8D0, 0xA900, 0xA9D0, 0xA9F0, 0xAA50, 0xABF0, 0xFF10,
    0x104A0, 0x10D30, 0x10D40, 0x11066, 0x110F0, 0x11136, 0x111D0, 0x112F0, 0x11450, 0x114D0,
    0x11650, 0x116C0, 0x11730, 0x118E0, 0x11950, 0x11C50, 0x11D50, 0x11DA0, 0x11F50, 0x16A60,
    0x16AC0, 0x16B50, 0x1E140, 0x1E2F0, 0x1E4F0, 0x1E950, 0x1FBF0,
];

/// Whether a text has anything that folding changes, apart from look-alikes of letters.
#[inline]
pub(in crate::mask) fn is_foldable(text: &str) -> bool {
    !text.is_ascii()
}

/// `text` folded; `None` where that changes nothing.
pub(in crate::mask) fn fold(text: &str) -> Option<View> {
    let mut view = View { text: String::with_capacity(text.len()), pieces: Vec::new() };
    let mut changed = false;
    let mut at = 0;
    for word in text.split_inclusive(char::is_whitespace) {
        if word.is_ascii() {
            view.copy(at, word);
        } else {
            changed |= fold_word(&mut view, at, word);
        }
        at += word.len();
    }
    changed.then_some(view)
}

fn fold_word(view: &mut View, start: usize, word: &str) -> bool {
    let mixed = word.bytes().any(|byte| byte.is_ascii_alphanumeric() || byte == b'@');
    let (mut changed, mut digit) = (false, false);
    for (at, character) in word.char_indices() {
        let fold = match fold_char(character) {
            // Marks put on digits; on letters they are spelling.
            Fold::Keep if digit && is_mark(character) => Fold::Gone,
            Fold::Keep if mixed => lookalike(character),
            fold => fold,
        };
        changed |= fold != Fold::Keep;
        let source = start + at;
        match fold {
            Fold::Keep => {
                view.copy(source, word.get(at..at + character.len_utf8()).unwrap_or_default())
            }
            Fold::As(plain) => view.put(source, character.len_utf8(), plain),
            Fold::Gone => continue,
        }
        digit = matches!(fold, Fold::As('0'..='9')) || character.is_ascii_digit();
    }
    changed
}

fn fold_char(character: char) -> Fold {
    let code = u32::from(character);
    match code {
        0..=0x7F => Fold::Keep,
        0xA0 | 0x1680 | 0x2000..=0x200A | 0x202F | 0x205F | 0x3000 => Fold::As(' '),
        0x2028 | 0x2029 | 0x85 => Fold::As('\n'),
        0xAD
        | 0x34F
        | 0x61C
        | 0x115F
        | 0x1160
        | 0x17B4
        | 0x17B5
        | 0x180B..=0x180F
        | 0x200B..=0x200F
        | 0x202A..=0x202E
        | 0x2060..=0x206F
        | 0x3164
        | 0xFE00..=0xFE0F
        | 0xFEFF
        | 0xFFA0
        | 0xFFF9..=0xFFFB
        | 0x1D173..=0x1D17A
        | 0xE0000..=0xE0FFF => Fold::Gone,
        0x2010..=0x2015 | 0x2043 | 0x2212 | 0x2E3A | 0x2E3B | 0xFE58 | 0xFE63 | 0x30FB => {
            Fold::As('-')
        }
        0xFF01..=0xFF5E => shifted(code - 0xFEE0),
        0x2024 | 0x3002 | 0xFF61 | 0xFE52 => Fold::As('.'),
        0xFE6B => Fold::As('@'),
        0x2044 | 0x2215 => Fold::As('/'),
        0xFE55 | 0x2236 | 0xA789 => Fold::As(':'),
        0xB2 | 0xB3 => shifted(code - 0xB2 + 0x32),
        0xB9 => Fold::As('1'),
        0x2070 | 0x2074..=0x2079 => shifted(code - 0x2070 + 0x30),
        0x2080..=0x2089 => shifted(code - 0x2080 + 0x30),
        0x2460..=0x2468 => shifted(code - 0x2460 + 0x31),
        0x24EA | 0x24FF => Fold::As('0'),
        0x2474..=0x247C => shifted(code - 0x2474 + 0x31),
        0x2488..=0x2490 => shifted(code - 0x2488 + 0x31),
        0x2776..=0x277E => shifted(code - 0x2776 + 0x31),
        0x24B6..=0x24CF => shifted(code - 0x24B6 + 0x41),
        0x24D0..=0x24E9 => shifted(code - 0x24D0 + 0x61),
        0x1F130..=0x1F149 => shifted(code - 0x1F130 + 0x41),
        0x1F150..=0x1F169 => shifted(code - 0x1F150 + 0x41),
        0x1F170..=0x1F189 => shifted(code - 0x1F170 + 0x41),
        0x1D400..=0x1D6A3 => styled((code - 0x1D400) % 52),
        0x1D7CE..=0x1D7FF => shifted((code - 0x1D7CE) % 10 + 0x30),
        0x3400..=0x9FFF | 0xAC00..=0xD7A3 => Fold::Keep,
        _ => digit(code).map_or_else(|| letterlike(character), Fold::As),
    }
}

/// A letter of the styled alphabets: 26 capitals, then 26 small ones.
fn styled(index: u32) -> Fold {
    shifted(if index < 26 { index + 0x41 } else { index - 26 + 0x61 })
}

fn shifted(code: u32) -> Fold {
    char::from_u32(code).map_or(Fold::Keep, Fold::As)
}

fn digit(code: u32) -> Option<char> {
    let after = ZEROS.partition_point(|zero| *zero <= code);
    char::from_digit(code - ZEROS.get(after.checked_sub(1)?)?, 10)
}

/// The letter of the Latin alphabet that `character` looks like.
const fn lookalike(character: char) -> Fold {
    Fold::As(match character {
        'А' | 'Α' | 'Ꭺ' => 'A',
        'В' | 'Β' | 'Ᏼ' => 'B',
        'С' | 'Ϲ' | 'Ꮯ' | 'Ⅽ' => 'C',
        'Ꭰ' | 'Ⅾ' => 'D',
        'Е' | 'Ε' | 'Ꭼ' => 'E',
        'Ϝ' => 'F',
        'Ԍ' | 'Ꮐ' => 'G',
        'Н' | 'Η' | 'Ꮋ' => 'H',
        'І' | 'Ι' | 'Ӏ' | 'Ⅰ' => 'I',
        'Ј' | 'Ꭻ' | 'Ϳ' => 'J',
        'К' | 'Κ' | 'Ꮶ' => 'K',
        'Ꮮ' | 'Ⅼ' => 'L',
        'М' | 'Μ' | 'Ꮇ' | 'Ⅿ' => 'M',
        'Ν' => 'N',
        'О' | 'Ο' | 'Օ' => 'O',
        'Р' | 'Ρ' | 'Ꮲ' => 'P',
        'Ԛ' => 'Q',
        'Ꭱ' => 'R',
        'Ѕ' | 'Տ' | 'Ꮪ' => 'S',
        'Т' | 'Τ' | 'Ꭲ' => 'T',
        'Ս' => 'U',
        'Ѵ' | 'Ⅴ' | 'Ꮩ' => 'V',
        'Ԝ' | 'Ꮃ' => 'W',
        'Х' | 'Χ' | 'Ⅹ' => 'X',
        'У' | 'Υ' | 'Ү' => 'Y',
        'Ζ' | 'Ꮓ' => 'Z',
        'а' | 'α' | 'ɑ' => 'a',
        'ƅ' | 'Ь' => 'b',
        'с' | 'ϲ' | 'ⅽ' => 'c',
        'ԁ' | 'ⅾ' => 'd',
        'е' | 'ҽ' => 'e',
        'ɡ' | 'ց' => 'g',
        'һ' | 'հ' => 'h',
        'і' | 'ι' | 'ı' | 'ⅰ' => 'i',
        'ј' | 'ϳ' => 'j',
        'κ' | 'к' => 'k',
        'ⅼ' | 'ӏ' => 'l',
        'ⅿ' => 'm',
        'ո' => 'n',
        'о' | 'ο' | 'օ' => 'o',
        'р' | 'ρ' => 'p',
        'ԛ' => 'q',
        'г' => 'r',
        'ѕ' => 's',
        'т' => 't',
        'υ' | 'ս' => 'u',
        'ν' | 'ѵ' | 'ⅴ' => 'v',
        'ԝ' | 'ѡ' => 'w',
        'х' | 'χ' | 'ⅹ' => 'x',
        'у' | 'γ' | 'ү' => 'y',
        'З' => '3',
        _ => return Fold::Keep,
    })
}

/// The letter that stands alone outside the styled alphabets of mathematics.
const fn letterlike(character: char) -> Fold {
    Fold::As(match character {
        'ℬ' => 'B',
        'ℂ' | 'ℭ' => 'C',
        'ℰ' => 'E',
        'ℱ' => 'F',
        'ℋ' | 'ℌ' | 'ℍ' => 'H',
        'ℐ' | 'ℑ' => 'I',
        '\u{212A}' => 'K',
        'ℒ' => 'L',
        'ℳ' => 'M',
        'ℕ' => 'N',
        'ℙ' => 'P',
        'ℚ' => 'Q',
        'ℛ' | 'ℜ' | 'ℝ' => 'R',
        'ℤ' | 'ℨ' => 'Z',
        'ℯ' | 'ⅇ' => 'e',
        'ℊ' => 'g',
        'ℎ' => 'h',
        'ⅈ' => 'i',
        'ⅉ' => 'j',
        'ℴ' => 'o',
        'ſ' => 's',
        'ⅆ' => 'd',
        _ => return Fold::Keep,
    })
}

const fn is_mark(character: char) -> bool {
    matches!(character, '\u{300}'..='\u{36F}' | '\u{20D0}'..='\u{20F0}')
}
