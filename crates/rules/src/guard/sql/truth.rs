//! Is this condition always true? Constants folded, complements recognised; everything else is
//! unknown, and unknown is not always true.
//!
//! Two stacks instead of recursion. Answers for the careful: `id > 0` counts as always true where
//! `id` is what rows are numbered by.

use super::{
    lex::{Kind, Token},
    literal,
    word::Word,
};

/// A condition with its surroundings.
pub(super) struct Condition<'a> {
    pub(super) text: &'a str,
    /// All tokens of the text.
    pub(super) tokens: &'a [Token],
    /// The table whose rows it chooses, in lower case, without its schema.
    pub(super) table: &'a str,
}

/// More operands than this are not folded.
const OPERANDS_MAX: usize = 4096;

#[derive(Clone, Debug, PartialEq)]
enum Value {
    Number(f64),
    Text(String),
    Null,
    Truth(bool),
    /// A column or call, by its spelling.
    Named(String),
    /// One of these holds; each a comparison by its spelling, and whether it is negated.
    Any(Vec<(String, bool)>),
    Unknown,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Or,
    Xor,
    And,
    Not,
    Equal,
    Unequal,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    Like,
    NotLike,
    Between,
    NotBetween,
    /// The AND of BETWEEN.
    Range,
    Join,
    Plus,
    Minus,
    Times,
    Divide,
    Modulo,
    Negate,
    Open,
}

impl Operator {
    const fn strength(self) -> u8 {
        use Operator as O;
        match self {
            O::Open => 0,
            O::Or | O::Xor => 1,
            O::And => 2,
            O::Not => 3,
            O::Between | O::NotBetween => 5,
            O::Range => 6,
            O::Equal
            | O::Unequal
            | O::Less
            | O::LessEqual
            | O::Greater
            | O::GreaterEqual
            | O::Like
            | O::NotLike => 4,
            O::Join | O::Plus | O::Minus => 7,
            O::Times | O::Divide | O::Modulo => 8,
            O::Negate => 9,
        }
    }
}

impl Condition<'_> {
    /// Whether the tokens from `start` up to `end` are a condition that holds for every row.
    pub(super) fn always_holds(&self, start: usize, end: usize) -> bool {
        let mut folding =
            Folding { condition: self, operators: Vec::new(), values: Vec::new(), operand: true };
        let mut at = start;
        while at < end {
            match folding.step(at, end) {
                Some(next) => at = next.max(at + 1),
                None => return false,
            }
        }
        folding.result() == Some(true)
    }
}

struct Folding<'a> {
    condition: &'a Condition<'a>,
    operators: Vec<Operator>,
    values: Vec<Value>,
    /// An operand comes next.
    operand: bool,
}

impl Folding<'_> {
    fn token(&self, at: usize) -> Option<&Token> {
        self.condition.tokens.get(at)
    }

    fn word(&self, at: usize) -> Option<Word> {
        match self.token(at)?.kind {
            Kind::Word(word) => Some(word),
            _ => None,
        }
    }

    fn spelled(&self, at: usize) -> &str {
        self.token(at).and_then(|token| self.condition.text.get(token.span())).unwrap_or_default()
    }

    fn result(mut self) -> Option<bool> {
        while let Some(operator) = self.operators.pop() {
            self.apply(operator);
        }
        let value = self.values.pop()?;
        self.values.is_empty().then(|| truth(&value, self.condition.table)).flatten()
    }

    /// Takes the token at `at`; the place of the next one, or `None` where folding gives up.
    fn step(&mut self, at: usize, end: usize) -> Option<usize> {
        if self.values.len() > OPERANDS_MAX || self.operators.len() > OPERANDS_MAX {
            return None;
        }
        let token = *self.token(at)?;
        if self.operand { self.operand(at, end, token) } else { self.operator(at, end, token) }
    }

    fn value(&mut self, value: Value) {
        self.values.push(value);
        self.operand = false;
    }

    fn operand(&mut self, at: usize, end: usize, token: Token) -> Option<usize> {
        match token.kind {
            Kind::Number => {
                let number =
                    self.spelled(at).replace('_', "").parse().map_or(Value::Unknown, Value::Number);
                self.value(number);
            }
            Kind::Text(_) => {
                let text = literal::decode(self.condition.text, &token);
                self.value(Value::Text(text));
            }
            Kind::Param | Kind::Star => self.value(Value::Unknown),
            Kind::Open if self.begins_query(at + 1) => {
                // `(SELECT 1)`.
                let constant = self.token(at + 2).filter(|_| token.mate as usize == at + 3);
                let number = constant.filter(|one| one.kind == Kind::Number);
                let number = number.and_then(|_| self.spelled(at + 2).parse().ok());
                self.value(number.map_or(Value::Unknown, Value::Number));
                return Some(token.mate as usize + 1);
            }
            Kind::Open => self.operators.push(Operator::Open),
            Kind::Sign if self.spelled(at) == "-" => self.operators.push(Operator::Negate),
            Kind::Sign if matches!(self.spelled(at), "!" | "~") => {
                self.operators.push(Operator::Not)
            }
            Kind::Sign if self.spelled(at) == "+" => {}
            Kind::Word(Word::Not) => self.operators.push(Operator::Not),
            Kind::Word(Word::True) => self.value(Value::Truth(true)),
            Kind::Word(Word::False) => self.value(Value::Truth(false)),
            Kind::Word(Word::Null) => self.value(Value::Null),
            Kind::Word(Word::Binary | Word::Date | Word::Any | Word::All)
                if self.token(at + 1).is_some_and(|next| !matches!(next.kind, Kind::Open)) => {}
            Kind::Word(Word::Interval) => {}
            Kind::Word(Word::Exists) => return self.exists(at + 1),
            Kind::Word(Word::Case) => return self.case(at, end),
            Kind::Word(_) | Kind::Quoted => return Some(self.named(at, end)),
            _ => return None,
        }
        Some(at + 1)
    }

    fn begins_query(&self, at: usize) -> bool {
        matches!(self.word(at), Some(Word::Select | Word::With | Word::Values | Word::Table))
    }

    /// A column or a call.
    fn named(&mut self, at: usize, end: usize) -> usize {
        let mut spelled = super::name_of(self.spelled(at));
        let mut at = at + 1;
        while at < end && self.token(at).is_some_and(|token| token.kind == Kind::Dot) {
            spelled = super::name_of(self.spelled(at + 1));
            at += 2;
        }
        if let Some(open) = self.token(at).filter(|token| at < end && token.kind == Kind::Open) {
            let close = (open.mate as usize).min(end);
            let inner = self.condition.tokens.get(at..=close).unwrap_or_default();
            let text = self.condition.text;
            for token in inner.iter().take(64) {
                spelled.push_str(&text.get(token.span()).unwrap_or_default().to_ascii_lowercase());
            }
            at = close + 1;
        }
        self.value(Value::Named(spelled));
        at
    }

    /// `EXISTS (SELECT …)`: always true of a query without a condition.
    fn exists(&mut self, at: usize) -> Option<usize> {
        let open = *self.token(at).filter(|token| token.kind == Kind::Open)?;
        let bounded = self.has_condition(at + 1, open.mate as usize);
        self.value(if bounded { Value::Unknown } else { Value::Truth(true) });
        Some(open.mate as usize + 1)
    }

    /// Whether a query between these places has something that leaves rows out.
    fn has_condition(&self, from: usize, to: usize) -> bool {
        let mut at = from;
        while at < to {
            match self.token(at).map(|token| (token.kind, token.mate)) {
                Some((Kind::Open, mate)) => at = (mate as usize).max(at),
                Some((Kind::Word(Word::Where), _)) => return !self.holds_from(at + 1, to),
                Some((
                    Kind::Word(Word::Having | Word::Limit | Word::Top | Word::Join | Word::Fetch),
                    _,
                )) => return true,
                _ => {}
            }
            at += 1;
        }
        false
    }

    /// One constant comparison, the usual `WHERE 1=1`; anything longer is not looked into.
    fn holds_from(&self, from: usize, to: usize) -> bool {
        let short = to.saturating_sub(from) == 3 && self.spelled(from + 1) == "=";
        short && self.spelled(from) == self.spelled(from + 2)
    }

    fn case(&mut self, at: usize, end: usize) -> Option<usize> {
        let mut depth = 0usize;
        let mut next = at;
        while next < end {
            match self.word(next) {
                Some(Word::Case) => depth += 1,
                Some(Word::End) => depth -= 1,
                _ => {}
            }
            next += 1;
            if depth == 0 {
                break;
            }
        }
        self.value(Value::Unknown);
        Some(next)
    }

    fn operator(&mut self, at: usize, end: usize, token: Token) -> Option<usize> {
        use Operator as O;
        let next = self.word(at + 1);
        match token.kind {
            Kind::Close => {
                while let Some(operator) = self.operators.pop() {
                    if operator == O::Open {
                        return Some(at + 1);
                    }
                    self.apply(operator);
                }
                return None;
            }
            Kind::Word(Word::And) => {
                let range = self.operators.iter().rev().find(|o| {
                    !matches!(o, O::Plus | O::Minus | O::Times | O::Divide | O::Negate | O::Join)
                });
                let range = matches!(range, Some(O::Between | O::NotBetween));
                self.push(if range { O::Range } else { O::And });
            }
            Kind::Word(Word::Or) => self.push(O::Or),
            Kind::Join => self.push(O::Join),
            Kind::Word(Word::Xor) => self.push(O::Xor),
            Kind::Word(Word::Is) => return self.is(at + 1),
            Kind::Word(Word::Isnull) => return self.is_null(at + 1, false),
            Kind::Word(Word::Notnull) => return self.is_null(at + 1, true),
            Kind::Word(Word::Not) => match next? {
                Word::In => return self.within(at + 2, true),
                Word::Between => {
                    self.push(O::NotBetween);
                    return Some(at + 2);
                }
                _ => {
                    self.push(O::NotLike);
                    return Some(at + 2);
                }
            },
            Kind::Word(Word::In) => return self.within(at + 1, false),
            Kind::Word(Word::Between) => self.push(O::Between),
            Kind::Word(Word::Like | Word::Ilike | Word::Regexp | Word::Rlike) => self.push(O::Like),
            Kind::Word(Word::Similar) => {
                self.push(O::Like);
                return Some(at + 2);
            }
            Kind::Word(Word::Escape) => return Some(at + 2),
            Kind::Word(Word::Div) => self.push(O::Divide),
            Kind::Word(Word::Mod) => self.push(O::Modulo),
            Kind::Star => self.push(O::Times),
            Kind::Sign => return self.sign(at, end),
            _ => return None,
        }
        Some(at + 1)
    }

    fn sign(&mut self, at: usize, end: usize) -> Option<usize> {
        use Operator as O;
        let operator = match self.spelled(at) {
            "::" => {
                // A cast: the name of the type follows, perhaps with a length.
                let open =
                    self.token(at + 2).filter(|token| at + 2 < end && token.kind == Kind::Open);
                return Some(open.map_or(at + 2, |open| open.mate as usize + 1));
            }
            "=" | "==" if self.spelled(at + 1) == ">" => return None,
            // `= ANY (SELECT …)` is `IN (SELECT …)`.
            "=" if matches!(self.word(at + 1), Some(Word::Any)) && self.begins_query(at + 3) => {
                return self.within(at + 2, false);
            }
            "=" | "==" => O::Equal,
            "<>" | "!=" => O::Unequal,
            "<" => O::Less,
            "<=" if self.spelled(at + 1) == ">" => {
                self.push(O::Equal);
                return Some(at + 2);
            }
            "<=" => O::LessEqual,
            ">" => O::Greater,
            ">=" => O::GreaterEqual,
            "+" => O::Plus,
            "-" => O::Minus,
            "/" => O::Divide,
            "%" => O::Modulo,
            "~" => O::Like,
            "|" if self.spelled(at + 1) == "|" => O::Or,
            "&" if self.spelled(at + 1) == "&" => {
                self.push(O::And);
                return Some(at + 2);
            }
            _ => return None,
        };
        self.push(operator);
        Some(at + 1)
    }

    /// `IS [NOT] NULL`, `IS [NOT] TRUE`, `IS [NOT] DISTINCT FROM`.
    fn is(&mut self, at: usize) -> Option<usize> {
        let (negated, at) =
            if self.word(at) == Some(Word::Not) { (true, at + 1) } else { (false, at) };
        match self.word(at)? {
            Word::Null => self.is_null(at + 1, negated),
            Word::Distinct => {
                self.push(if negated { Operator::Equal } else { Operator::Unequal });
                Some(at + 2)
            }
            word => {
                self.reduce(Operator::Equal.strength());
                let value = self.values.pop()?;
                let wanted = match word {
                    Word::True => true,
                    Word::False => false,
                    _ => return None,
                };
                let value = truth(&value, self.condition.table)
                    .map_or(Value::Unknown, |is| Value::Truth((is == wanted) != negated));
                self.value(value);
                Some(at + 1)
            }
        }
    }

    fn is_null(&mut self, next: usize, negated: bool) -> Option<usize> {
        self.reduce(Operator::Equal.strength());
        let value = match self.values.pop()? {
            Value::Null => Value::Truth(!negated),
            Value::Number(_) | Value::Text(_) | Value::Truth(_) => Value::Truth(negated),
            Value::Named(name) if negated && self.is_key(&name) => Value::Truth(true),
            Value::Named(name) => Value::Any(vec![(format!("{name} is null"), negated)]),
            _ => Value::Unknown,
        };
        self.value(value);
        Some(next)
    }

    /// `[NOT] IN (…)`.
    fn within(&mut self, at: usize, negated: bool) -> Option<usize> {
        self.reduce(Operator::Equal.strength());
        let open = *self.token(at).filter(|token| token.kind == Kind::Open)?;
        let close = open.mate as usize;
        let value = self.values.pop()?;
        let known = if self.begins_query(at + 1) {
            let same = matches!(&value, Value::Named(name) if super::name_of(self.spelled(at + 2)) == *name);
            let own = (at..close).any(|one| {
                self.word(one) == Some(Word::From)
                    && super::name_of(self.spelled(one + 1)) == self.condition.table
            });
            (same && own && !self.has_condition(at + 1, close)).then_some(true)
        } else {
            self.in_list(&value, at + 1, close)
        };
        self.value(known.map_or(Value::Unknown, |known| Value::Truth(known != negated)));
        Some(close + 1)
    }

    fn in_list(&self, value: &Value, from: usize, to: usize) -> Option<bool> {
        let item = |at: usize| {
            let token = self.token(at)?;
            match token.kind {
                Kind::Number => self.spelled(at).parse().ok().map(Value::Number),
                Kind::Text(_) => Some(Value::Text(literal::decode(self.condition.text, token))),
                _ => None,
            }
        };
        match value {
            Value::Number(_) | Value::Text(_) => (from..to.min(from + 512))
                .any(|at| item(at).as_ref() == Some(value))
                .then_some(true),
            // Nothing is numbered 0 or less: `NOT IN (0)` is every row.
            Value::Named(name) if self.is_key(name) => {
                let mut items = (from..to.min(from + 512)).filter_map(item).peekable();
                items.peek()?;
                items.all(|item| matches!(item, Value::Number(n) if n <= 0.0)).then_some(false)
            }
            _ => None,
        }
    }

    fn is_key(&self, name: &str) -> bool {
        is_key(name, self.condition.table)
    }

    fn push(&mut self, operator: Operator) {
        self.reduce(operator.strength());
        self.operators.push(operator);
        self.operand = true;
    }

    fn reduce(&mut self, strength: u8) {
        while self
            .operators
            .last()
            .is_some_and(|last| last.strength() >= strength && *last != Operator::Open)
        {
            if let Some(operator) = self.operators.pop() {
                self.apply(operator);
            }
        }
    }

    fn apply(&mut self, operator: Operator) {
        use Operator as O;
        let right = self.values.pop().unwrap_or(Value::Unknown);
        let table = self.condition.table;
        let value = match operator {
            O::Not => truth(&right, table).map_or_else(|| negated(right), |is| Value::Truth(!is)),
            O::Negate => match right {
                Value::Number(number) => Value::Number(-number),
                _ => Value::Unknown,
            },
            O::Open => right,
            binary => {
                let left = self.values.pop().unwrap_or(Value::Unknown);
                match binary {
                    O::Or => either(left, right, table),
                    O::And => both(&left, &right, table),
                    O::Xor => match (truth(&left, table), truth(&right, table)) {
                        (Some(a), Some(b)) => Value::Truth(a != b),
                        _ => Value::Unknown,
                    },
                    O::Range => Value::Any(vec![(spell(&left), false), (spell(&right), true)]),
                    O::Between => between(&left, &right, table),
                    O::NotBetween => Value::Unknown,
                    O::Join | O::Plus | O::Minus | O::Times | O::Divide | O::Modulo => {
                        arithmetic(binary, left, right)
                    }
                    comparison => compare(comparison, left, right, table),
                }
            }
        };
        self.values.push(value);
    }
}

/// What rows are numbered by.
fn is_key(name: &str, table: &str) -> bool {
    let own =
        name.strip_suffix("_id").is_some_and(|stem| !stem.is_empty() && table.starts_with(stem));
    own || matches!(
        name,
        "id" | "_id" | "rowid" | "_rowid_" | "oid" | "ctid" | "uuid" | "pk" | "rownum" | "guid"
    )
}

/// What a value is as a condition.
fn truth(value: &Value, table: &str) -> Option<bool> {
    match value {
        Value::Truth(is) => Some(*is),
        Value::Number(number) => Some(*number != 0.0),
        Value::Text(text) => match text.trim().to_ascii_lowercase().as_str() {
            "t" | "true" | "y" | "yes" | "on" => Some(true),
            text => Some(text.parse::<f64>().is_ok_and(|number| number != 0.0)),
        },
        Value::Null => Some(false),
        Value::Named(name) if is_key(name, table) => Some(true),
        _ => None,
    }
}

fn negated(value: Value) -> Value {
    match value {
        Value::Any(one) if one.len() == 1 => {
            Value::Any(one.into_iter().map(|(key, not)| (key, !not)).collect())
        }
        Value::Named(name) => Value::Any(vec![(name, true)]),
        _ => Value::Unknown,
    }
}

fn either(left: Value, right: Value, table: &str) -> Value {
    let (a, b) = (truth(&left, table), truth(&right, table));
    if a == Some(true) || b == Some(true) {
        return Value::Truth(true);
    }
    let list = |value: Value| match value {
        Value::Any(list) => Some(list),
        Value::Named(name) => Some(vec![(name, false)]),
        _ => None,
    };
    match (a, b, list(left), list(right)) {
        (Some(false), Some(false), ..) => Value::Truth(false),
        (Some(false), _, _, Some(list)) | (_, Some(false), Some(list), _) => Value::Any(list),
        (_, _, Some(mut all), Some(more)) => {
            if more.iter().any(|(key, not)| {
                all.iter().any(|(other, other_not)| key == other && not != other_not)
            }) {
                return Value::Truth(true);
            }
            all.extend(more);
            all.truncate(16);
            Value::Any(all)
        }
        (_, _, Some(list), None) | (_, _, None, Some(list)) => Value::Any(list),
        _ => Value::Unknown,
    }
}

fn both(left: &Value, right: &Value, table: &str) -> Value {
    match (truth(left, table), truth(right, table)) {
        (Some(false), _) | (_, Some(false)) => Value::Truth(false),
        (Some(true), Some(true)) => Value::Truth(true),
        (Some(true), None) => right.clone(),
        (None, Some(true)) => left.clone(),
        _ => Value::Unknown,
    }
}

fn arithmetic(operator: Operator, left: Value, right: Value) -> Value {
    use Operator as O;
    match (operator, left, right) {
        (O::Join | O::Plus, Value::Text(a), Value::Text(b)) => Value::Text(a + &b),
        (O::Join, a, b) => either(a, b, ""),
        (_, Value::Number(a), Value::Number(b)) => Value::Number(match operator {
            O::Plus => a + b,
            O::Minus => a - b,
            O::Times => a * b,
            O::Divide => a / b,
            _ => a % b,
        }),
        (_, Value::Named(a), Value::Number(b)) => Value::Named(format!("{a}{operator:?}{b}")),
        (_, Value::Named(a), Value::Named(b)) => Value::Named(format!("{a}{operator:?}{b}")),
        _ => Value::Unknown,
    }
}

fn between(value: &Value, range: &Value, table: &str) -> Value {
    let Value::Any(ends) = range else { return Value::Unknown };
    let number = |at: usize| ends.get(at).and_then(|(text, _)| text.parse::<f64>().ok());
    match (value, number(0), number(1)) {
        (Value::Number(value), Some(low), Some(high)) => {
            Value::Truth(low <= *value && *value <= high)
        }
        (Value::Named(name), Some(low), Some(high))
            if is_key(name, table) && low <= 1.0 && high >= 1e6 =>
        {
            Value::Truth(true)
        }
        _ => Value::Unknown,
    }
}

fn compare(operator: Operator, left: Value, right: Value, table: &str) -> Value {
    use Operator as O;
    if let (Value::Text(pattern), O::Like | O::NotLike) = (&right, operator) {
        let all = !pattern.is_empty() && pattern.chars().all(|c| c == '%')
            || matches!(pattern.as_str(), "_%" | ".*" | "^.*$" | ".+" | "^");
        if all {
            return Value::Truth(operator == O::Like);
        }
    }
    let equal = matches!(operator, O::Equal | O::LessEqual | O::GreaterEqual | O::Like);
    match (&left, &right) {
        (Value::Null, _) | (_, Value::Null) => Value::Truth(false),
        (Value::Named(a), Value::Named(b)) if a == b => Value::Truth(equal),
        (Value::Named(name), Value::Number(number)) if covers(name, operator, *number, table) => {
            Value::Truth(true)
        }
        (Value::Number(number), Value::Named(name))
            if covers(name, mirrored(operator), *number, table) =>
        {
            Value::Truth(true)
        }
        (Value::Named(name), Value::Text(text))
            if text.is_empty() && operator == O::Unequal && is_key(name, table) =>
        {
            Value::Truth(true)
        }
        (Value::Named(_), _) | (_, Value::Named(_)) => {
            let (key, not) = match operator {
                O::Unequal => (O::Equal, true),
                O::NotLike => (O::Like, true),
                O::GreaterEqual => (O::Less, true),
                O::Greater => (O::LessEqual, true),
                other => (other, false),
            };
            Value::Any(vec![(format!("{}{key:?}{}", spell(&left), spell(&right)), not)])
        }
        (Value::Unknown | Value::Any(_), _) | (_, Value::Unknown | Value::Any(_)) => Value::Unknown,
        _ => Value::Truth(constants(operator, &left, &right)),
    }
}

/// Whether a key compares so to this number in every row.
fn covers(name: &str, operator: Operator, number: f64, table: &str) -> bool {
    use Operator as O;
    let key = is_key(name, table);
    let positive = ["length(", "char_length(", "len(", "abs(", "octet_length("]
        .iter()
        .any(|call| name.starts_with(call));
    match operator {
        O::Greater => key && number <= 0.0 || positive && number < 0.0,
        O::GreaterEqual => key && number <= 1.0 || positive && number <= 0.0,
        O::Unequal => (key && number <= 0.0) || (positive && number < 0.0),
        O::Less | O::LessEqual => key && number >= 1e9,
        _ => false,
    }
}

const fn mirrored(operator: Operator) -> Operator {
    use Operator as O;
    match operator {
        O::Less => O::Greater,
        O::LessEqual => O::GreaterEqual,
        O::Greater => O::Less,
        O::GreaterEqual => O::LessEqual,
        other => other,
    }
}

fn constants(operator: Operator, left: &Value, right: &Value) -> bool {
    use Operator as O;
    use std::cmp::Ordering;
    let order = match (left, right) {
        (Value::Text(a), Value::Text(b)) => a.cmp(b),
        (a, b) => match (number(a), number(b)) {
            (Some(a), Some(b)) => a.partial_cmp(&b).unwrap_or(Ordering::Equal),
            // Databases differ on what this means: taken as if it held.
            _ => return true,
        },
    };
    match operator {
        O::Equal | O::Like => order.is_eq(),
        O::Unequal | O::NotLike => order.is_ne(),
        O::Less => order.is_lt(),
        O::LessEqual => order.is_le(),
        O::Greater => order.is_gt(),
        _ => order.is_ge(),
    }
}

fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => Some(*number),
        Value::Text(text) => text.trim().parse().ok(),
        Value::Truth(is) => Some(f64::from(u8::from(*is))),
        _ => None,
    }
}

fn spell(value: &Value) -> String {
    match value {
        Value::Number(number) => number.to_string(),
        Value::Text(text) => format!("'{text}'"),
        Value::Named(name) => name.clone(),
        other => format!("{other:?}"),
    }
}
