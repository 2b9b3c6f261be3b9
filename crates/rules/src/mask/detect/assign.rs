//! Names with values in running text: `password: hunter22`, `"api_key" = "…"`, `--token …`,
//! `<pin>1234</pin>`, `my password is …`, `Bearer …`.
//!
//! What code does with names that sound alike is no value: `password = get_password()`,
//! `token: String`.

use super::{
    bytes::{self, DIGIT, LETTER, WORD, at, before, kind},
    context::{self, Whole},
    form::{self, Form},
    keyed,
    page::{Page, what},
    token,
};

/// Longest name that is read, in bytes.
const NAME_MAX_BYTES: usize = 64;
/// So far around a name the keys of its person are looked for, in bytes.
const NEAR_MAX_BYTES: usize = 160;
/// Most blanks between a name, its sign and its value.
const BLANKS_MAX: usize = 24;
/// Longest value, in bytes.
const VALUE_MAX_BYTES: usize = 4096;
/// A longer value is looked at once only, in bytes.
const SHORT_MAX_BYTES: usize = 64;
/// So much below what a value of the same form scores under a key of JSON.
const LESS: u8 = 3;

/// A value in a text.
struct Value {
    start: usize,
    end: usize,
    quoted: bool,
}

/// Looks at the `:`, `=` or `>` at `mark`, and says where to go on behind a value.
pub(super) fn look(page: &mut Page<'_>, mark: usize) -> Option<usize> {
    let text = page.bytes();
    let sign = at(text, mark);
    let next = at(text, mark + 1);
    if next == b'=' && sign == b'=' || next == b':' {
        return None;
    }
    // `password == "hunter22"`, `token ?= …`, `TOKEN :::= …`
    let sign_at = mark
        - bytes::run_back(text, mark, 3, |byte| {
            matches!(byte, b':' | b'=' | b'!' | b'?' | b'.' | b'+' | b'|')
        });
    let compared = sign == b'=' && matches!(before(text, mark), b'=' | b'!');
    let name = name_before(text, if sign == b'=' { sign_at } else { mark }, sign)?;
    let name = if sign == b'=' { named_elsewhere(text, name) } else { name };
    let hint = context::of_key(page.text.get(name.0..name.1)?);
    if page.probe {
        page.hit |= hint.whole.is_some() || hint.concepts & !super::concepts::OTHER != 0;
        return None;
    }
    let whole = hint.whole.filter(|_| mark >= page.valued)?;
    let value = value_after(text, mark + 1, sign, whole.form)?;
    if compared && !is_compared(page, &value) {
        return None;
    }
    take(page, whole, &value, spaced(text, mark))
}

/// Whether code compares with this because it is the value: `== "hunter22"`, but not `== "string"`.
fn is_compared(page: &Page<'_>, value: &Value) -> bool {
    let plain = page.part(value.start, value.end);
    value.quoted && plain.iter().any(|byte| kind(*byte) & LETTER == 0)
}

/// The name that a value really has: `token` in `var token string = …`, `pwd` in `key="pwd" value=…`.
fn named_elsewhere(text: &[u8], (start, end): (usize, usize)) -> (usize, usize) {
    const TYPES: [&[u8]; 5] = [b"string", b"String", b"str", b"text", b"Text"];
    let name = bytes::part(text, start, end);
    let last = name.iter().rposition(|byte| kind(*byte) & WORD == 0).map_or(0, |last| last + 1);
    let word = bytes::part(name, last, name.len());
    if TYPES.contains(&word) {
        let stop = start + last;
        let stop = stop - bytes::run_back(text, stop, 3, |byte| matches!(byte, b' ' | b':'));
        let length = bytes::run_back(text, stop, NAME_MAX_BYTES, |byte| kind(byte) & WORD != 0);
        return if length > 0 { (stop - length, stop) } else { (start, end) };
    }
    if word != b"value" {
        return (start, end);
    }
    let first = start.saturating_sub(NAME_MAX_BYTES);
    let before = bytes::part(text, first, start);
    let quoted = [&b"key=\""[..], b"name=\""].iter().find_map(|mark| {
        memchr::memmem::rfind(before, mark).map(|place| first + place + mark.len())
    });
    let Some(from) = quoted else { return (start, end) };
    let length = bytes::run(text, from, start - from, |byte| byte != b'"' && byte != b'>');
    if at(text, from + length) == b'"' { (from, from + length) } else { (start, end) }
}

/// Whether the sign stands free, as in code: `password = x`.
fn spaced(text: &[u8], mark: usize) -> bool {
    before(text, mark) == b' ' && at(text, mark) == b'='
}

/// The name that ends before the sign, if its last word is one of ours.
fn name_before(text: &[u8], mark: usize, sign: u8) -> Option<(usize, usize)> {
    let blanks = bytes::run_back(text, mark, BLANKS_MAX, |byte| byte == b' ');
    let quote = before(text, mark - blanks);
    let quoted = matches!(quote, b'"' | b'\'' | b'`');
    let end = mark - blanks - usize::from(quoted);
    let end = end - bytes::run_back(text, end, 2, |byte| byte == b'*');
    let ending = bytes::run_back(text, end, NAME_MAX_BYTES, |byte| {
        kind(byte) & (LETTER | DIGIT) != 0 || byte >= 0x80
    });
    if quoted {
        let inside =
            bytes::run_back(text, end, NAME_MAX_BYTES * 2, |byte| byte != quote && byte >= b' ');
        return (inside > 0).then_some((end - inside, end));
    }
    if ending == 0 || !context::may_end(bytes::part(text, end - ending, end)) {
        return None;
    }
    let words = |byte: u8| {
        kind(byte) & WORD != 0 || byte >= 0x80 || sign == b':' && matches!(byte, b' ' | b'\'')
    };
    let start = end - bytes::run_back(text, end, NAME_MAX_BYTES, words);
    (sign != b'>' || before(text, start) == b'<').then_some((start, end))
}

/// The value behind the sign.
fn value_after(text: &[u8], from: usize, sign: u8, form: Form) -> Option<Value> {
    let from = from + usize::from(matches!((sign, at(text, from)), (b':', b'=') | (b'=', b'>')));
    let from = from + bytes::run(text, from, 2, |byte| byte == b'*');
    // The value of an XML element may stand on a line of its own.
    let blank =
        |byte: u8| matches!(byte, b' ' | b'\t') || sign == b'>' && matches!(byte, b'\n' | b'\r');
    let start = from + bytes::run(text, from, BLANKS_MAX, blank);
    let start = if form == Form::Secret { behind_scheme(text, start) } else { start };
    if let Some(quoted) = quoted(text, start) {
        return (quoted.end > quoted.start).then_some(quoted);
    }
    let one_word = matches!(
        form,
        Form::Password | Form::Secret | Form::Drawn | Form::Signature | Form::Handle | Form::Mail
    );
    let stops = |byte: u8| match byte {
        b'\n' | b'\r' | b'\t' | b'"' | b'<' | b'>' | b'`' | b'|' | b';' => true,
        b' ' | b'\'' | b',' | b'{' | b'}' => one_word,
        b'&' => sign == b'=',
        _ => false,
    };
    let length = bytes::run(text, start, VALUE_MAX_BYTES, |byte| !stops(byte));
    let end = if one_word {
        trimmed(text, start, start + length)
    } else {
        line_end(text, start, start + length, form)
    };
    (end > start).then_some(Value { start, end, quoted: false })
}

/// The value in quotes that begins at `start`; in those of a text within a text as well: `\"…\"`.
fn quoted(text: &[u8], start: usize) -> Option<Value> {
    // YAML may have it on the next line.
    let line = match at(text, start) {
        b'\n' => 1 + bytes::run(text, start + 1, BLANKS_MAX, |byte| byte == b' '),
        _ => 0,
    };
    let escape = usize::from(line == 0 && at(text, start) == b'\\');
    let first = start + line + escape;
    let quote = at(text, first);
    if !matches!(quote, b'"' | b'\'' | b'`') {
        return None;
    }
    let ends = |byte: u8| byte == quote || byte == b'\n' || escape > 0 && byte == b'\\';
    let length = bytes::run(text, first + 1, VALUE_MAX_BYTES, |byte| !ends(byte));
    let end = first + 1 + length;
    (at(text, end + escape) == quote).then_some(Value { start: first + 1, end, quoted: true })
}

/// Where the value begins behind the name of a scheme: `Authorization: Token 22cb…`.
fn behind_scheme(text: &[u8], start: usize) -> usize {
    const SCHEMES: [&[u8]; 6] =
        [b"Token ", b"token ", b"Api-Token ", b"ApiKey ", b"Apikey ", b"OAuth "];
    let scheme = SCHEMES.iter().find(|scheme| bytes::has(text, start, scheme));
    start + scheme.map_or(0, |scheme| scheme.len())
}

/// Without the marks of the sentence or bracket around it.
fn trimmed(text: &[u8], start: usize, mut end: usize) -> usize {
    while end > start && matches!(before(text, end), b'.' | b',' | b';' | b')' | b']' | b':') {
        end -= 1;
    }
    end
}

/// A value of several words ends at two spaces, before the next name, and names end at a comma.
fn line_end(text: &[u8], start: usize, end: usize, form: Form) -> usize {
    let line = bytes::part(text, start, end);
    let mut length = memchr::memmem::find(line, b"  ").unwrap_or(line.len());
    if !matches!(form, Form::Address | Form::Coordinate | Form::Phone | Form::Date) {
        length = line
            .iter()
            .take(length)
            .position(|byte| matches!(byte, b',' | b'(' | b'{' | b'}'))
            .unwrap_or(length);
    }
    let line = bytes::part(line, 0, length);
    // `12 Main St, Phone: …`
    if let Some(colon) = line.iter().position(|byte| *byte == b':') {
        let part = bytes::part(line, 0, colon);
        let cut = part.iter().rposition(|byte| matches!(byte, b',' | b';' | b'.'));
        length = cut.unwrap_or(0);
    }
    let mut end = start + length;
    while end > start && matches!(before(text, end), b' ' | b'.' | b',' | b'\'') {
        end -= 1;
    }
    end
}

fn take(page: &mut Page<'_>, whole: Whole, value: &Value, code: bool) -> Option<usize> {
    let text = page.text.get(value.start..value.end)?;
    if text.len() > SHORT_MAX_BYTES {
        page.valued = value.end;
    }
    let score = form::fits(whole.form, text).or_else(|| person(page, whole.form, value, text))?;
    if whole.form == Form::Address && !form::is_street(text) {
        return None;
    }
    let chosen = matches!(whole.form, Form::Password | Form::Secret | Form::Drawn);
    if !value.quoted && chosen && is_code(page, text, value.end, code) {
        return None;
    }
    // Names of variables and types sound like keys; without quotes only a sure form counts.
    if !value.quoted && (code && !chosen || is_other(page, whole.form, value, text)) {
        return None;
    }
    page.take(value.start, value.end, what(whole.class, "assignment"), score.saturating_sub(LESS));
    page.valued = value.end;
    // Others may know the value by a better name.
    None
}

/// Whether a value without quotes is rather code, or the second half of a name: `fullName:
/// isSet(x)`, `username: creds.username`, `zip:amd64`.
fn is_other(page: &Page<'_>, form: Form, value: &Value, text: &str) -> bool {
    let own = || text.contains('.') && is_own_name(page, value.start, text.as_bytes());
    let glued = || page.before(value.start) == b':' && kind(page.at(value.start)) == bytes::LOWER;
    page.at(value.end) == b'(' && !text.contains(' ')
        || form == Form::Handle && own()
        || matches!(form, Form::Code(..)) && glued()
}

/// A name that no list has, among what only persons have: `name: Ngozi Eze`, with a phone on the next line.
fn person(page: &Page<'_>, form: Form, value: &Value, text: &str) -> Option<u8> {
    let first = text.chars().next()?;
    let several = text.contains(' ') || !text.bytes().any(|byte| byte.is_ascii_alphabetic());
    if form != Form::Person || first.is_lowercase() || !several {
        return None;
    }
    let (from, to) = (value.start.saturating_sub(NEAR_MAX_BYTES), value.end + NEAR_MAX_BYTES);
    let near = page.part(from, to.min(page.text.len()));
    let personal = [&b"phone"[..], b"email", b"e-mail", b"birth", b"Phone", b"Email", b"PHONE"];
    let among = personal.iter().any(|word| memchr::memmem::find(near, word).is_some());
    form::fits(Form::Name, text).filter(|_| among).map(|score| score.saturating_sub(15))
}

/// Whether a value without quotes is rather a word of code or of a sentence.
fn is_code(page: &Page<'_>, value: &str, end: usize, code: bool) -> bool {
    let start = end - value.len();
    let plain = value.as_bytes();
    let first = at(plain, 0);
    let called = page.at(end) == b'('
        || value.contains(['(', '['])
        || value.contains("::")
        || value.contains("->");
    let variable = matches!(first, b'$' | b'%' | b'&' | b'*' | b'[' | b'{' | b'(')
        && plain.iter().skip(1).all(|byte| kind(*byte) & WORD != 0 || *byte == b'}');
    // `password=Zt4VQTgHytip` is set, where `password = Base64Decoder` is code.
    let set = page.before(start) == b'=' && plain.iter().any(u8::is_ascii_digit);
    let named = form::is_identifier(value) && !set || is_own_name(page, start, plain);
    if called || variable || named {
        return true;
    }
    let letters = plain.iter().all(|byte| kind(*byte) & LETTER != 0 || *byte >= 0x80);
    // `"passwd:gid"`
    if letters && page.before(start) == b':' {
        return true;
    }
    // `const ATTR_PASSWORD: u32 = 277`
    if code && plain.len() < 6 && plain.iter().all(u8::is_ascii_digit) {
        return true;
    }
    // One word of letters counts where it ends the line, and is set as configurations set it.
    let tag = page.at(end) == b'<' && page.at(end + 1) == b'/';
    let ends = tag || matches!(page.at(end), 0 | b'\n' | b'\r' | b',' | b';' | b'&' | b'"' | b'.');
    let blanks = bytes::run(page.bytes(), end, BLANKS_MAX, |byte| byte == b' ');
    let remark = blanks > 0 && page.at(end + blanks) == b'#';
    letters && (code || !ends && !remark && !is_setting(page, start, end + blanks))
}

/// Whether a value is only the name again: `pass: Pass`, `colon2_token: node.colon2_token`.
fn is_own_name(page: &Page<'_>, start: usize, plain: &[u8]) -> bool {
    let text = page.bytes();
    let mark = bytes::run_back(text, start, BLANKS_MAX, |byte| matches!(byte, b' ' | b':' | b'='));
    let end = start - mark;
    let length = bytes::run_back(text, end, NAME_MAX_BYTES, |byte| {
        kind(byte) & (LETTER | DIGIT | bytes::UNDER) != 0
    });
    let last = plain.rsplit(|byte| *byte == b'.').next().unwrap_or_default();
    let name = bytes::part(text, end - length, end);
    length > 0 && name.eq_ignore_ascii_case(last)
}

/// Whether the value at `start` is set as command lines and connection strings set one, with `next` behind:
/// `PGPASSWORD=sunshine psql`, `password=sunshine sslmode=require`.
fn is_setting(page: &Page<'_>, start: usize, next: usize) -> bool {
    let name = kind(page.before(start.saturating_sub(1)));
    let word = bytes::run(page.bytes(), next, NAME_MAX_BYTES, |byte| kind(byte) & WORD != 0);
    let set = page.at(next) == b'-' || word > 0 && page.at(next + word) == b'=';
    page.before(start) == b'=' && (name == bytes::UPPER || name & LETTER != 0 && set)
}

/// `--password hunter22`, `-u name:password`.
pub(super) fn flag(page: &mut Page<'_>, start: usize, end: usize) -> Option<usize> {
    let text = page.bytes();
    if at(text, end) != b' ' {
        return None;
    }
    let name = page.text.get(start..end)?;
    if matches!(name, "-u" | "--user" | "--proxy-user") {
        let value = value_after(text, end, b' ', Form::Password)?;
        let colon = page.part(value.start, value.end).iter().position(|byte| *byte == b':')?;
        let from = value.start + colon + 1;
        let fits = page.text.get(from..value.end).and_then(|text| form::fits(Form::Password, text));
        page.take(from, value.end, what("secret.password", "flag"), fits?.saturating_sub(5));
        return Some(value.end);
    }
    if matches!(name, "-p" | "-a") {
        return account_flag(page, start, end);
    }
    if !name.starts_with("--") {
        return None;
    }
    let whole = context::of_key(name).whole.filter(|whole| whole.class.starts_with("secret."))?;
    if page.probe {
        page.hit = true;
        return None;
    }
    let value =
        value_after(text, end, b' ', whole.form).filter(|value| at(text, value.start) != b'-')?;
    take(page, whole, &value, false)
}

/// `mysql -pPASSWORD`: a password in one word with its flag.
pub(super) fn glued_flag(page: &mut Page<'_>, start: usize, end: usize) -> Option<usize> {
    let before = page.part(start.saturating_sub(NAME_MAX_BYTES), start);
    let mysql = memchr::memmem::find(before, b"mysql").is_some() && page.at(start + 1) == b'p';
    let plain = page.text.get(start + 2..end)?;
    let score = form::fits(Form::Password, plain).filter(|_| mysql && plain.len() > 3)?;
    page.take(start + 2, end, what("secret.password", "flag"), score.saturating_sub(15));
    Some(end)
}

/// `-u name -p password`, right one behind the other; `sshpass -p …`, `redis-cli -a …`.
fn account_flag(page: &mut Page<'_>, start: usize, end: usize) -> Option<usize> {
    let text = page.bytes();
    let blank = start.checked_sub(1)?;
    let name = bytes::run_back(text, blank, NAME_MAX_BYTES, |byte| byte > b' ');
    let program = bytes::part(text, blank - name, blank);
    let user = bytes::part(text, (blank - name).saturating_sub(4), blank - name);
    let login = name > 0 && at(text, start + 1) == b'p' && matches!(user, b" -u " | b" -U ");
    if !login && !program.ends_with(b"sshpass") && !program.ends_with(b"redis-cli") {
        return None;
    }
    let value = value_after(text, end, b' ', Form::Password)?;
    let plain = page.text.get(value.start..value.end)?;
    // A port, an option and a variable are no passwords.
    let other = plain.starts_with(|one: char| one.is_ascii_digit() || "-$%<{".contains(one));
    let score = form::fits(Form::Password, plain).filter(|_| !other)?;
    page.take(value.start, value.end, what("secret.password", "flag"), score.saturating_sub(15));
    Some(value.end)
}

/// Words behind which a secret is spoken: `Bearer …`, `password is …`, `PIN 1234`.
pub(super) fn spoken(page: &mut Page<'_>, start: usize, end: usize) -> Option<usize> {
    let text = page.bytes();
    if at(text, end) != b' ' {
        return None;
    }
    if let Some(reached) = keyed::spoken(page, start, end) {
        return Some(reached);
    }
    // `IDENTIFIED BY '…'`, where only a password can stand.
    if page.part(start, end).eq_ignore_ascii_case(b"by")
        && matches!(at(text, end + 1), b'\'' | b'"')
    {
        let value = value_after(text, end, b' ', Form::Password)?;
        let score = form::fits(Form::Password, page.text.get(value.start..value.end)?)?;
        page.take(value.start, value.end, what("secret.password", "spoken"), score - 5);
        return Some(value.end);
    }
    let name = page.part(start, end);
    let start = start + name.iter().rposition(|byte| *byte == b'_').map_or(0, |last| last + 1);
    let is = |name: &[u8]| page.part(start, end).eq_ignore_ascii_case(name);
    match (end - start, at(text, start) | 0x20) {
        (6, b'b') if is(b"bearer") => bearer(page, end + 1),
        (5, b'b') if is(b"basic") => basic(page, end + 1),
        (8, b'p') if is(b"password") || is(b"passcode") => said(page, end, Form::Password),
        (10, b'p') if is(b"passphrase") => said(page, end, Form::Password),
        (6, b'p') if is(b"passwd") => said(page, end, Form::Password),
        (3, b'p') if is(b"pwd") => said(page, end, Form::Password),
        (3, b'p') if is(b"pin") => said(page, end, Form::Digits(4, 6)),
        (3, b'c') if is(b"cvv") || is(b"cvc") || is(b"csc") => said(page, end, Form::Digits(3, 4)),
        (4, b'c') if is(b"cvv2") || is(b"cvc2") => said(page, end, Form::Digits(3, 4)),
        _ => None,
    }
}

fn bearer(page: &mut Page<'_>, from: usize) -> Option<usize> {
    let text = page.bytes();
    let inside = |byte: u8| kind(byte) & WORD != 0 || matches!(byte, b'+' | b'/' | b'=' | b'~');
    let length = bytes::run(text, from, VALUE_MAX_BYTES, inside);
    let end = trimmed(text, from, from + length);
    let value = page.text.get(from..end)?;
    if value.len() < 12 || !form::is_secret(value) || form::is_placeholder(value) {
        return None;
    }
    page.take(from, end, what("secret.authorization", "bearer"), 90);
    Some(end)
}

/// Base64 of a name, a colon and a password (RFC 7617).
fn basic(page: &mut Page<'_>, from: usize) -> Option<usize> {
    let text = page.bytes();
    let inside = |byte: u8| {
        kind(byte) & (LETTER | DIGIT) != 0 || matches!(byte, b'+' | b'/' | b'=' | b'-' | b'_')
    };
    let length = bytes::run(text, from, 1024, inside);
    let decoded = token::decode(bytes::part(text, from, from + length));
    let printable = decoded.iter().all(|byte| *byte >= b' ');
    if length < 8 || !printable || !decoded.contains(&b':') {
        return None;
    }
    page.take(from, from + length, what("secret.authorization", "basic"), 92);
    Some(from + length)
}

/// `password is hunter22`, `password hunter22`.
fn said(page: &mut Page<'_>, from: usize, form: Form) -> Option<usize> {
    let text = page.bytes();
    let mut from = from;
    let mut linked = false;
    for link in [&b" is "[..], b" was ", b" to ", b" for ", b" code ", b" number "] {
        if bytes::has(text, from, link) {
            from += link.len() - 1;
            linked |= link != b" for ";
        }
    }
    let value = value_after(text, from, b' ', form)?;
    let (start, end) = if form == Form::Password {
        (value.start, value.end)
    } else {
        let digits = bytes::run(text, value.start, 9, |byte| byte.is_ascii_digit());
        (value.start, value.start + digits)
    };
    let plain = page.text.get(start..end)?;
    form::fits(form, plain)?;
    if kind(at(text, end)) & (LETTER | DIGIT) != 0 {
        return None;
    }
    let (class, sure) = match form {
        Form::Password => {
            let digit = plain.bytes().any(|byte| byte.is_ascii_digit());
            let netrc = is_netrc(text, start);
            // `ALTER USER app WITH PASSWORD '…'`
            let sql = bytes::has(text, from.saturating_sub(8), b"PASSWORD '");
            let mark = plain.bytes().any(|byte| kind(byte) & (LETTER | DIGIT) == 0);
            let chosen = netrc
                || value.quoted && (linked || sql || mark && plain.len() >= 6)
                || digit && plain.len() >= 5
                || linked && mark && plain.len() >= 6;
            ("secret.password", chosen && (netrc || value.quoted || !form::is_identifier(plain)))
        }
        Form::Digits(3, _) => ("pci.cvv", true),
        _ => ("pci.pin", linked || end == text.len() || !matches!(at(text, end), b' ' | b'.')),
    };
    if !sure {
        return None;
    }
    page.take(start, end, what(class, "spoken"), 80);
    Some(end)
}

/// Whether the line so far is one of `.netrc`.
fn is_netrc(text: &[u8], end: usize) -> bool {
    let line = bytes::part(text, end.saturating_sub(160), end);
    memchr::memmem::find(line, b"login ").is_some()
        && (memchr::memmem::find(line, b"machine ").is_some()
            || memchr::memmem::find(line, b"default ").is_some())
}
