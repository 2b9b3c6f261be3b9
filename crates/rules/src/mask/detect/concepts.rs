//! What words speak of: one bit each, so that a key or a sentence is a set of them.

macro_rules! concepts {
    ($($(#[$doc:meta])* $name:ident = $bit:literal;)*) => {
        $($(#[$doc])* pub(super) const $name: u128 = 1 << $bit;)*
    };
}

concepts! {
    PASSWORD = 0;
    SECRET = 1;
    CARD = 2;
    PHONE = 3;
    IP = 4;
    BIRTH = 5;
    /// An identity number of any country.
    NATIONAL = 6;
    /// A tax number of any country.
    TAX = 7;
    PASSPORT = 8;
    DRIVER = 9;
    VEHICLE = 10;
    ACCOUNT = 11;
    ROUTING = 12;
    CRYPTO = 13;
    /// A health number of any country.
    HEALTH = 14;
    DEVICE = 15;
    /// Digits that are something else: an order, a version, a hash.
    OTHER = 16;
    PERSON = 17;
    US = 32;
    UK = 33;
    AU = 34;
    CA = 35;
    IN = 36;
    DE = 37;
    FR = 38;
    IT = 39;
    ES = 40;
    NL = 41;
    BE = 42;
    CH = 43;
    AT = 44;
    PT = 45;
    DK = 46;
    NO = 47;
    SE = 48;
    FI = 49;
    IS = 50;
    EE = 51;
    LV = 52;
    PL = 53;
    RO = 54;
    BG = 55;
    CZ = 56;
    HR = 57;
    YU = 58;
    GR = 59;
    IE = 60;
    TR = 61;
    ZA = 62;
    KR = 63;
    JP = 64;
    CN = 65;
    TW = 66;
    HK = 67;
    SG = 68;
    TH = 69;
    MY = 70;
    ID = 71;
    IL = 72;
    MX = 73;
    AR = 74;
    CL = 75;
    CO = 76;
    EC = 77;
    NZ = 78;
    RU = 79;
    UA = 80;
    KZ = 81;
    BR = 82;
    NPI = 83;
    DEA = 84;
    MEDICARE = 85;
    NHS = 86;
    IBAN = 87;
    HU = 88;
    UY = 89;
    PE = 90;
    DO = 91;
    EIN = 92;
    PIS = 93;
    VOTER = 94;
    LANR = 95;
    AUSWEIS = 96;
    AE = 97;
    SA = 98;
    EG = 99;
    PK = 100;
    /// Words that name a number only together: `social security`, `social insurance`, `tax file`.
    SOCIAL = 18;
    SECURITY = 19;
    INSURANCE = 20;
    FILE = 21;
    DRIVING = 22;
    LICENCE = 23;
    /// Words of phones that are words of other things as well: only for digits in groups.
    CALL = 24;
    /// Releases of programs, which may have four numbers as an address has.
    VERSION = 25;
}

/// All concepts that name one country's numbers, or one kind of them.
pub(super) const OWN: u128 = !0 << 32;

/// Adds what words name together.
pub(super) fn joined(concepts: u128) -> u128 {
    let both = |one: u128, other: u128| concepts & one != 0 && concepts & other != 0;
    let mut all = concepts;
    for (one, other, named) in [
        (SOCIAL, SECURITY, US),
        (SOCIAL, INSURANCE, CA),
        (NATIONAL, INSURANCE, UK),
        (TAX, FILE, AU),
        (DRIVING, LICENCE, DRIVER),
    ] {
        if both(one, other) {
            all |= named;
        }
    }
    all
}
