//! Is this condition always true? Constants folded, complements recognised; everything else is
//! unknown, and unknown is not always true.
//!
//! Two stacks instead of recursion. Answers for the careful: `id > 0` counts as always true where
//! `id` is what rows are numbered by.

use super::{
    lex::{Kind, Token},
    literal,
    value::{
        Operator, Value, arithmetic, between, both, compare, either, is_key, negated, spell, truth,
    },
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
