//! The command guard against parsers of others: what PostgreSQL's own reads as a change is never harmless
//! here, and what it accepts can be read here.

#[cfg(test)]
mod postgres;
