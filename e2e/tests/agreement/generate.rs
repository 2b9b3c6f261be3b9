//! Bodies from a seed: messages in every spelling, with traps, and then damaged.

/// A generator of bodies; the same seed gives the same bodies.
pub(crate) struct Generator {
    state: u64,
    out: Vec<u8>,
}

/// Texts as they stand between quotes, traps included.
const TEXTS: &[&str] = &[
    "",
    "a",
    "name",
    "tools/call",
    "plain text of some length to pass over",
    "é",
    "😀",
    "\u{7f}",
    "\u{2028}",
    "\u{feff}",
    "\u{ffff}",
    "ａ",
    "\\u0041",
    "\\u00e9",
    "\\ud83d\\ude00",
    "\\uD83D\\uDE00",
    "\\u0000",
    "\\u001f",
    "\\n\\t\\r\\b\\f\\/\\\\\\\"",
    "\\\\u0041",
    "\\u005c",
    "\\u2028",
    "\\ufeff",
    "\\ud800",
    "\\udc00",
    "\\ud800\\ud800",
    "\\ud83d\\u0041",
    "\\x41",
    "\\u12",
    "\t",
    "\u{0}",
];

const KEYS: &[&str] = &[
    "a",
    "b",
    "c",
    "name",
    "arguments",
    "path",
    "10",
    "9",
    "-1",
    "1.0",
    "",
    "__proto__",
    "constructor",
    "toString",
    "é",
    "e\u{301}",
    "😀",
    "\\u0061",
    "\\u006eame",
    "Name",
    "NAME",
    "nam\u{200b}e",
    "\u{ff4e}ame",
    "name\\u0000",
    "method",
    "param\u{17f}",
    "tool\u{212a}",
    "id",
    "$serde_json::private::Number",
    "$serde_json::private::RawValue",
    "\\u0024serde_json::private::Number",
];

const NUMBERS: &[&str] = &[
    "0",
    "-0",
    "1",
    "-1",
    "1.0",
    "10",
    "1e5",
    "1E5",
    "1E+5",
    "1e-5",
    "0.1",
    "-0.0",
    "1e400",
    "-1e400",
    "1e-400",
    "5e-324",
    "1.7976931348623157e308",
    "1.7976931348623159e308",
    "9007199254740993",
    "18446744073709551616",
    "123456789012345678901234567890",
    "0.30000000000000000000000000004",
    "01",
    "1.",
    ".5",
    "+1",
    "0x10",
    "1e",
    "NaN",
    "Infinity",
    "-",
    "--1",
    "1_000",
    "1e99999999999",
];

const SPACES: &[&str] = &["", "", "", "", " ", "\n", "\t", "\r\n", "  ", "\u{a0}", "\u{c}", "/**/"];

const WORDS: &[&str] = &["true", "false", "null", "null", "true", "True", "nul", "undefined"];

/// Bytes that mean something to some reader.
const BYTES: &[u8] = b"\"\\{}[]:,0123456789eE+-.tfnul \n\r\t\0\x1f\x7f\x80\xBF\xC0\xED\xEF\xFF/*#'";

impl Generator {
    pub(crate) fn new(seed: u64) -> Self {
        Self { state: seed, out: Vec::new() }
    }

    /// The next body.
    pub(crate) fn body(&mut self) -> Vec<u8> {
        self.out.clear();
        match self.below(40) {
            0 => self.push("\u{feff}"),
            1 => return self.nest(),
            2 => return self.noise(),
            _ => {}
        }
        if self.below(12) == 0 {
            self.list(b'[', b']', |generator| generator.message());
        } else {
            self.message();
        }
        let mut body = std::mem::take(&mut self.out);
        if self.below(3) == 0 {
            self.damage(&mut body);
        }
        body
    }

    fn message(&mut self) {
        let method =
            ["tools/call", "tools\\/call", "ping", "resources/read", "notifications/cancelled"];
        self.push("{");
        self.space();
        let mut members: Vec<u64> = (0..4).collect();
        let turn = self.below(4);
        members.rotate_left(usize::try_from(turn).unwrap_or_default());
        for (nth, member) in members.into_iter().enumerate() {
            if nth > 0 {
                self.push(",");
                self.space();
            }
            match member {
                0 => self.push("\"jsonrpc\":\"2.0\""),
                1 => {
                    self.push("\"id\":");
                    let id = self.below(1_000_000);
                    self.push(&id.to_string());
                }
                2 => {
                    self.push("\"method\":\"");
                    self.text_of(&method);
                    self.push("\"");
                }
                _ => {
                    self.push("\"params\":{\"arguments\":");
                    self.value(0);
                    self.push("}");
                }
            }
            self.space();
        }
        if self.below(8) == 0 {
            self.push(",");
            self.member(4);
        }
        self.push("}");
        self.space();
    }

    fn value(&mut self, depth: u64) {
        match self.below(if depth < 4 { 9 } else { 6 }) {
            0 | 1 => self.number(),
            2 if self.below(8) == 0 => self.text_of(WORDS),
            2 => self.text_of(WORDS.split_at(5).0),
            3..=5 => self.string(TEXTS, 23),
            6 => self.list(b'[', b']', |generator| generator.value(depth + 1)),
            _ => self.list(b'{', b'}', |generator| generator.member(depth + 1)),
        }
    }

    fn member(&mut self, depth: u64) {
        self.string(KEYS, 17);
        self.space();
        self.push(":");
        self.space();
        self.value(depth);
    }

    fn list(&mut self, open: u8, close: u8, mut item: impl FnMut(&mut Self)) {
        self.out.push(open);
        self.space();
        for nth in 0..self.below(5) {
            if nth > 0 {
                self.push(",");
                self.space();
            }
            item(self);
            self.space();
        }
        self.out.push(close);
    }

    /// One of `texts`; those from `tame` on are traps and rare.
    fn string(&mut self, texts: &[&str], tame: usize) {
        let trap = self.below(40) == 0;
        let (tame, all) = (texts.split_at(tame).0, texts);
        self.push("\"");
        self.text_of(if trap { all } else { tame });
        if self.below(4) == 0 {
            let more = self.below(1000);
            self.push(&more.to_string());
        }
        self.push("\"");
    }

    fn number(&mut self) {
        match self.below(40) {
            0 => self.text_of(NUMBERS),
            1..=9 => self.text_of(NUMBERS.split_at(12).0),
            10..=14 => {
                let bits = f64::from_bits(self.next());
                self.push(&if bits.is_finite() { format!("{bits:e}") } else { "7".to_owned() });
            }
            15..=17 => {
                let digits = self.below(320) + 1;
                let text: String =
                    (0..digits).filter_map(|_| "123456789".chars().nth(self.pick(9))).collect();
                self.push(&text);
            }
            _ => {
                let number = self.next() >> self.below(64);
                self.push(&number.to_string());
            }
        }
    }

    /// Brackets around the depth at which Lockgate stops.
    fn nest(&mut self) -> Vec<u8> {
        let depth = 58 + self.pick(6);
        let (open, close) = ("[".repeat(depth), "]".repeat(depth));
        let start = r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":{"arguments":"#;
        format!("{start}{open}{close}}}}}").into_bytes()
    }

    fn noise(&mut self) -> Vec<u8> {
        (0..self.below(40)).map(|_| self.byte()).collect()
    }

    fn damage(&mut self, body: &mut Vec<u8>) {
        for _ in 0..=self.below(3) {
            let at = self.pick(body.len() + 1);
            let end = (at + self.pick(6)).min(body.len());
            match self.below(4) {
                0 => body.insert(at, self.byte()),
                1 => drop(body.drain(at..end)),
                2 => {
                    let again: Vec<u8> = body.drain(at..end).collect();
                    body.splice(at..at, [again.clone(), again].concat());
                }
                _ => {
                    if let Some(byte) = body.get_mut(at) {
                        *byte ^= 1 << self.below(8);
                    }
                }
            }
        }
    }

    fn space(&mut self) {
        let trap = self.below(400) == 0;
        self.text_of(if trap { SPACES } else { SPACES.split_at(9).0 });
    }

    fn text_of(&mut self, texts: &[&str]) {
        let text = texts.get(self.pick(texts.len())).copied().unwrap_or_default();
        self.push(text);
    }

    fn push(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }

    fn byte(&mut self) -> u8 {
        BYTES.get(self.pick(BYTES.len())).copied().unwrap_or_default()
    }

    fn pick(&mut self, length: usize) -> usize {
        usize::try_from(self.below(length as u64)).unwrap_or_default()
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end.max(1)
    }

    /// SplitMix64: small, and good enough to reach every branch.
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }
}
