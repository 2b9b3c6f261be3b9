//! The sample server's rows and the four tools over them. Made-up people and cards, kept in memory only.

use serde_json::{Value, json};

/// What the tools work on.
pub(super) struct Rows {
    employees: Vec<Employee>,
    payments: Vec<Payment>,
}

struct Employee {
    id: u64,
    name: &'static str,
    department: &'static str,
    email: &'static str,
    card: &'static str,
    salary: u64,
}

struct Payment {
    employee: u64,
    day: &'static str,
    amount: u64,
}

/// The tools as `tools/list` shows them.
pub(super) fn definitions() -> Value {
    let id = json!({ "type": "integer", "minimum": 1, "description": "The employee's id" });
    json!([
        {
            "name": "query_employees",
            "description": "Lists employees, of one department or of all.",
            "inputSchema": {
                "type": "object",
                "properties": {
                    "department": { "type": "string", "description": "Such as engineering" },
                    "limit": { "type": "integer", "minimum": 1 },
                },
                "additionalProperties": false,
            },
            "annotations": { "readOnlyHint": true },
        },
        {
            "name": "list_payments",
            "description": "Lists the payments to one employee.",
            "inputSchema": {
                "type": "object",
                "properties": { "employee_id": id },
                "required": ["employee_id"],
                "additionalProperties": false,
            },
            "annotations": { "readOnlyHint": true },
        },
        {
            "name": "delete_employee",
            "description": "Deletes an employee for good.",
            "inputSchema": {
                "type": "object",
                "properties": { "employee_id": id },
                "required": ["employee_id"],
                "additionalProperties": false,
            },
            "annotations": { "destructiveHint": true },
        },
        {
            "name": "run_sql",
            "description": "Runs a statement on the table employees.",
            "inputSchema": {
                "type": "object",
                "properties": { "sql": { "type": "string", "description": "The statement" } },
                "required": ["sql"],
                "additionalProperties": false,
            },
        },
    ])
}

impl Rows {
    /// Four people and their pay.
    pub(super) fn sample() -> Self {
        let employee = |id, name, department, email, card, salary| Employee {
            id,
            name,
            department,
            email,
            card,
            salary,
        };
        let payment = |employee, day, amount| Payment { employee, day, amount };
        Self {
            employees: vec![
                employee(
                    1,
                    "Ines Okafor",
                    "board",
                    "ines@example.com",
                    "4539578763621486",
                    180_000,
                ),
                employee(
                    2,
                    "Tomasz Lind",
                    "engineering",
                    "tomasz@example.com",
                    "5425233430109903",
                    96_000,
                ),
                employee(
                    3,
                    "Mei Castellanos",
                    "engineering",
                    "mei@example.com",
                    "4716044839205619",
                    104_000,
                ),
                employee(4, "Ravi Brandt", "sales", "ravi@example.com", "6011552733019420", 71_000),
            ],
            payments: vec![
                payment(1, "2026-10-30", 15_000),
                payment(2, "2026-10-30", 8_000),
                payment(3, "2026-10-30", 8_667),
                payment(4, "2026-10-30", 5_917),
            ],
        }
    }

    /// What a tool answers, or why it fails; `None` where there is no such tool.
    pub(super) fn call(&mut self, tool: &str, arguments: &Value) -> Option<Result<Value, String>> {
        let number = |key: &str| arguments.get(key).and_then(Value::as_u64);
        let employee = number("employee_id").ok_or_else(|| "employee_id is missing".to_owned());
        Some(match tool {
            "query_employees" => {
                let department = arguments.get("department").and_then(Value::as_str);
                Ok(self.employees(department, number("limit")))
            }
            "list_payments" => employee.map(|id| self.payments(id)),
            // No database: whatever the statement is, it stands for all rows.
            "run_sql" => Ok(self.employees(None, None)),
            "delete_employee" => employee.and_then(|id| self.delete(id)),
            _ => return None,
        })
    }

    fn employees(&self, department: Option<&str>, limit: Option<u64>) -> Value {
        let limit = limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX);
        self.employees
            .iter()
            .filter(|row| department.is_none_or(|only| row.department == only))
            .take(limit)
            .map(|row| {
                let Employee { id, name, department, email, card, salary } = row;
                json!({
                    "id": id,
                    "name": name,
                    "department": department,
                    "email": email,
                    "card": card,
                    "salary": salary,
                })
            })
            .collect()
    }

    fn payments(&self, employee: u64) -> Value {
        let rows = self.payments.iter().filter(|row| row.employee == employee);
        rows.map(|row| json!({ "day": row.day, "amount": row.amount })).collect()
    }

    fn delete(&mut self, id: u64) -> Result<Value, String> {
        let before = self.employees.len();
        self.employees.retain(|row| row.id != id);
        if self.employees.len() == before {
            return Err(format!("there is no employee {id}"));
        }
        Ok(json!({ "deleted": id }))
    }
}
