--comment
DROP TABLE users