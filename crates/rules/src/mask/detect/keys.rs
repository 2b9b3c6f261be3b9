//! The vocabulary: names of keys and columns with what stands under them, and words that tell what
//! the digits beside them are. Data; [`super::context`] reads it.
//!
//! A phrase is written in lower case with a space between words, and is met in every spelling:
//! `first_name`, `firstName`, `FIRST-NAME`, `firstname`.

use super::{
    concepts as c,
    form::Form::{self, Address, Code, Date, Digits, Free, Name, Password, Person, Phone, Secret},
};

/// Names of keys, and what their whole value is.
pub(super) struct Key {
    /// Phrases, parted by `|`.
    pub(super) phrases: &'static str,
    /// The class of the value.
    pub(super) class: &'static str,
    /// What the value must look like.
    pub(super) form: Form,
    /// What a number under such a key may be.
    pub(super) concepts: u128,
}

const fn key(class: &'static str, form: Form, concepts: u128, phrases: &'static str) -> Key {
    Key { phrases, class, form, concepts }
}

/// Keys with what stands under them.
pub(super) const KEYS: &[Key] = &[
    key(
        "secret.password",
        Password,
        c::PASSWORD,
        "password|passwd|pwd|passphrase|passcode|pass phrase|pass word|pass code|userpass|user pass|\
         db pass|database pass|smtp pass|ftp pass|admin pass|root pass|pg pass|mysql pass|redis pass|\
         passwort|kennwort|contrasena|contraseña|mot de passe|motdepasse|senha|wachtwoord|haslo|hasło|\
         lozinka|parola|salasana|losenord|lösenord|adgangskode|heslo|pgpassword|password hash|hashed password|\
         pass|pw|security answer|secret answer|recovery phrase|seed phrase|mnemonic|mnemonic phrase|\
         recovery code|recovery codes|backup code|backup codes",
    ),
    key(
        "secret.token",
        Secret,
        c::SECRET,
        "secret|secret key|client secret|app secret|application secret|consumer secret|shared secret|\
         signing secret|webhook secret|api secret|api key secret|token secret|oauth secret|jwt secret|\
         session secret|cookie secret|master secret|totp secret|otp secret|mfa secret|secret value|\
         secret string|secret access key|aws secret access key|token|api token|access token|auth token|\
         authentication token|authorization token|bearer token|refresh token|id token|session token|\
         security token|csrf token|xsrf token|personal access token|device token|user token|bot token|\
         app token|service token|deploy token|registration token|secret token|private token|api key|\
         apikey|api keys|x api key|access key|auth key|account key|shared access key|master key|\
         encryption key|signing key|private key|secret key base|license key|storage key|service key|\
         admin key|server key|consumer key|subscription key|ocp apim subscription key|app key|\
         application key|integration key|write key|deploy key|host key|hmac key|aes key|symmetric key|\
         ssh key|ssh private key|pgp key|credential|credentials|creds|auth|authorization|\
         proxy authorization|x auth token|cookie|set cookie|session cookie|session key|connect sid|\
         phpsessid|jsessionid|otp|sas|sas token|nonce secret|key material|keytab|\
         oauth token|verification token|reset token|password reset token|invite token|magic link token|\
         private key id secret|webhook url secret|vault token|npm token|github token|gitlab token|slack token",
    ),
    key(
        "secret.token",
        Form::Drawn,
        0,
        "key|access|private|secret access|pat|client id|app id|application id|access id|unseal key|preshared key|access key id",
    ),
    key("secret.token", Form::Signature, 0, "sig"),
    key("pci.cvv", Digits(3, 4), 0, CVV),
    key(
        "pci.pin",
        Digits(4, 8),
        0,
        "pin|pin code|card pin|atm pin|pin number|debit pin|user pin|pin block|sim pin",
    ),
    key(
        "pci.expiry",
        Form::Expiry,
        0,
        "card expiry|card expiration|card exp|exp month year|card expiry date|card expiration date|\
         cc exp|cc expiry|expiry card|card valid thru|valid thru|valid through",
    ),
    key("pii.name", Name, c::PERSON, NAMES),
    key("pii.name", Person, c::PERSON, PERSONS),
    key("pii.address", Address, 0, ADDRESSES),
    key(
        "pii.postal_code",
        Code(3, 10),
        0,
        "zip|zip code|zipcode|postal code|postcode|post code|postleitzahl|plz|code postal|codigo postal|\
         cep|pincode|zip 4|zip plus 4",
    ),
    key(
        "pii.birth_date",
        Date,
        c::BIRTH,
        "dob|d o b|date of birth|birth date|birthdate|birthday|birth day|born|born on|birth|geburtsdatum|\
         geboren|date de naissance|naissance|fecha de nacimiento|fecha nacimiento|data de nascimento|\
         data nascimento|data di nascita|geboortedatum|data urodzenia|fodelsedatum|födelsedatum|\
         date birth|member dob|patient dob|birth year|year of birth",
    ),
    key(
        "pii.phone",
        Phone,
        c::PHONE,
        "phone|telephone|tel|mobile|cellphone|cell phone|phone number|mobile number|mobile phone|\
         home phone|work phone|fax|fax number|whatsapp|telefon|telefono|teléfono|telefone|telefoon|\
         handy|portable|msisdn|contact number|contact no|phone no|tel no|celular|movil|móvil",
    ),
    key("pii.phone", Phone, c::CALL, "cell|sms|mob|ph"),
    key(
        "pii.email",
        Form::Mail,
        0,
        "email|e mail|mail|email address|mail address|e mail address|contact email|user email",
    ),
    key(
        "pii.username",
        Form::Handle,
        0,
        "username|user name|login|login name|screen name|user login|account name|nickname",
    ),
    key(
        "pii.passport",
        Code(6, 12),
        c::PASSPORT,
        "passport|passport number|passport no|passport num|passport id|reisepass|reisepassnummer|\
         pasaporte|passeport|passaporto|paspoort|paspoortnummer|passaporte",
    ),
    key(
        "pii.driver_license",
        Code(5, 20),
        c::DRIVER,
        "driver license|drivers license|driver licence|drivers licence|driving licence|driving license|\
         driver license number|drivers license number|driving licence number|dl number|licence number|\
         license number|driver s license|fuhrerschein|führerschein|fuehrerschein|dl no|dln|\
         permis de conduire|licencia de conducir|patente di guida|cnh",
    ),
    key(
        "pii.vehicle",
        Code(4, 17),
        c::VEHICLE,
        "license plate|licence plate|number plate|plate number|vehicle registration|kennzeichen|\
         registration plate|matricula|plate",
    ),
    key("pii.national_id", Code(5, 20), c::NATIONAL, IDS),
    key(
        "pii.national_id.us",
        Digits(4, 4),
        c::US,
        "ssn last 4|ssn last four|ssn4|last 4 ssn|last four ssn|ssn last4",
    ),
    key("pii.tax", Code(6, 20), c::TAX, TAXES),
    key(
        "pii.bank.account",
        Code(5, 34),
        c::ACCOUNT,
        "account number|account no|acct number|acct no|acct num|bank account|bank account number|\
         checking account|savings account|kontonummer|konto|numero de cuenta|numero compte|\
         beneficiary account|account num|rekeningnummer|numero de compte|bank acct|sort code",
    ),
    key("pii.bank.routing", Digits(8, 9), c::ROUTING, "bankleitzahl|blz|transit number|bsb"),
    key(
        "pii.device",
        Code(14, 40),
        c::DEVICE,
        "imsi|iccid|meid|idfa|gaid|advertising id|device serial",
    ),
    key(
        "pii.location",
        Form::Coordinate,
        0,
        "latitude|longitude|lat|lng|lon|geo lat|geo lng|geo lon|gps|coordinates|latlng|lat lng|lat long",
    ),
    key("phi.record", Code(4, 20), 0, RECORDS),
    key("phi.health_id", Code(6, 20), c::HEALTH, HEALTH_IDS),
    key(
        "phi.condition",
        Free,
        0,
        "diagnosis|diagnoses|diagnose|medical condition|medical history|icd 10|icd10|icd code|icd|\
         medication|medications|prescription|allergies|allergy|treatment plan|lab result|lab results|\
         symptoms|blood type|blood group|chief complaint|procedure code|hiv status|disability",
    ),
    key(
        "pii.attribute",
        Free,
        0,
        "religion|ethnicity|race|sexual orientation|political affiliation|marital status|gender identity|\
         trade union membership|ethnic origin|nationality|citizenship",
    ),
    key(
        "pii.salary",
        Form::Amount,
        0,
        "salary|annual salary|base salary|wage|gross salary|net salary|yearly salary|monthly salary|\
         compensation amount|gehalt|salaire|salario",
    ),
];

const CVV: &str = "cvv|cvc|cvv2|cvc2|csc|cid code|card verification|card verification value|\
    card verification code|card security code|security code|card code|cvv code|cvc code|cvv number";

const NAMES: &str = "first name|firstname|fname|given name|givenname|forename|last name|lastname|lname|\
    surname|family name|familyname|middle name|maiden name|full name|fullname|legal name|real name|\
    person name|contact name|customer name|client name|patient name|employee name|member name|guest name|\
    recipient name|sender name|cardholder|cardholder name|card holder|card holder name|name on card|\
    account holder|account holder name|holder name|beneficiary name|beneficiary|applicant name|owner name|\
    driver name|passenger name|student name|teacher name|doctor name|physician name|provider name person|\
    emergency contact|emergency contact name|next of kin|spouse name|mother s maiden name|mothers maiden name|\
    mother maiden name|father name|mother name|guardian name|vorname|nachname|familienname|geburtsname|nom|\
    nom de famille|prenom|prénom|nombre|apellido|apellidos|primer apellido|segundo apellido|nombre completo|\
    nome|sobrenome|nome completo|cognome|voornaam|achternaam|tussenvoegsel|imie|imię|nazwisko|fornavn|\
    etternavn|fornamn|förnamn|efternamn|etunimi|sukunimi|billing name|shipping name|insured name|\
    policyholder|policy holder|policyholder name|subscriber name|attendee name|candidate name|\
    shipping first name|shipping last name|first name last name|preferred name|nominee|payee|payee name";

/// Keys that often name things that are no persons: their value must look like a person's name.
const PERSONS: &str = "name|display name|displayname|author|author name|customer|client|patient|employee|\
    contact|owner|assignee|reporter|manager|approver|requester|sender|recipient|person|member|guest|\
    attendee|created by|updated by|assigned to|user|signed by|doctor|physician|reviewer|passenger|driver|\
    student|applicant|candidate|user full name|real name|cc name|account owner|sales rep|account manager|\
    supervisor|spouse|subscriber|attending physician|from|to|cc|dear|attn|attention|kontakt|kunde|cliente|\
    paciente|titular|naam|nazwa|namn|navn|nimi";

const ADDRESSES: &str = "address|street|street address|address line|address line 1|address line 2|\
    address 1|address 2|address1|address2|addr|addr 1|addr 2|street 1|street 2|street line 1|street name|\
    home address|mailing address|postal address|billing address|shipping address|delivery address|\
    residence|residential address|physical address|work address|permanent address|current address|\
    street 1 line|house number|strasse|straße|anschrift|adresse|hausnummer|direccion|dirección|calle|rue|\
    domicilio|endereco|endereço|indirizzo|adres|adress|osoite|full address|formatted address|home addr";

/// Identity numbers without a checksum, and names that stand for any country's. Those with a checksum
/// are in [`WORDS`]: a number that fails it is none.
const IDS: &str = "national id|national id number|national identity number|national identification number|\
    identity number|identity card|identity card number|id card number|id card|citizen id|citizen number|\
    personal id|personal identity number|personal identification number|personal number|personal code|\
    government id|govt id|national insurance|national insurance number|ni number|voter id|rg|ktp|no ktp|\
    personalausweis|personalausweisnummer|ausweisnummer|id number person|document number|carte d identite|\
    cni|dowod osobisty|numer dowodu";

const TAXES: &str = "tax id|tax id number|tax number|tax no|tin|taxpayer id|taxpayer identification number|\
    tax identification number|steuernummer|numero fiscal|company tax id";

const RECORDS: &str = "mrn|medical record|medical record number|medical record no|patient id|patient number|\
    patient no|chart number|hospital number|health record number|encounter id person|patient identifier|\
    krankenaktennummer|case record number";

const HEALTH_IDS: &str = "hicn|medicaid|medicaid id|medicaid number|health insurance number|\
    health insurance id|health card|health card number|insurance id|insurance number|insurance member id|\
    insurance policy number|member id number|health plan id|health plan number|health id|subscriber id|\
    health number|ohip|ohip number|medical license|medical license number|policy number health|\
    medical licence number|beneficiary id";

/// Longer names that hold nothing, though they end as one of [`KEYS`] does.
pub(super) const STOPS: &[&str] = &[
    "page token|next token|next page token|continuation token|pagination token|sync token|resume token|\
     cursor token|previous token|prev token|progress token|start token|end token|page key|next page key",
    "public key|partition key|primary key|foreign key|sort key|cache key|issue key|project key|object key|\
     s3 key|idempotency key|translation key|json key|row key|group key|dedup key|deduplication key|\
     routing key|message key|event key|map key|lookup key|hash key|range key|index key|state key|\
     query key|feature key|flag key|metric key|field key|locale key|entry key|node key|item key|record key|\
     document key|doc key|config key|unique key|natural key|business key|composite key|react key|\
     websocket key|blob key|file key|path key|upload key|image key|asset key|queue key|lock key|order key|bucket key|\
     artifact key|build key|dependency key|restore key|content key|fingerprint key|merge key|job key|public token|publishable key|host name",
    "stop token|special token|eos token|bos token|unk token|pad token|max token|word token|input token",
    "file name|tool name|product name|project name|branch name|class name|function name|table name|\
     column name|bucket name|service name|repo name|package name|company name|event name|role name|\
     group name|team name|brand name|domain name|app name|job name|pod name|node name|short name|\
     resource name|field name|step name|model name|display name key|key name|tag name|type name",
    "mac address|ip address|email from|base address|memory address|contract address|bind address|\
     listen address|remote address|server address|host address|web address|url address|start address",
    "code owner|two pass|by pass|bypass|first pass|render pass|multi pass|test pass|compass",
    "stack pin|gpio pin|pinned|is pin|map pin|pull request author|from user|back to|up to|valid to|date to",
    "contact us|network mobile|is mobile|mobile app|data race|horse race|arms race|condition race",
    "git author|commit author|bot author|user agent|current user|system user|db user|test user",
    "expired token|invalid token|unexpected token|missing token|illegal token|expected token",
];

/// Words beside digits, with what they say of them.
pub(super) const WORDS: &[(u128, &str)] = &[
    (
        c::CARD,
        "card|visa|mastercard|amex|credit|debit|cc|pan|kreditkarte|tarjeta|carte|maestro|jcb|diners",
    ),
    (c::CARD, "charged|exp|expires|expiry|cvv|cvc|cardholder|ending"),
    (c::CARD, "discover|unionpay|cartao|carta|karte|creditcard|cardnumber|ccnum|cardno|ccn|rupay"),
    (c::PHONE, "phone|phones|telephone|tel|mobile|fax|whatsapp|hotline|telefon|celular|msisdn"),
    (
        c::PHONE,
        "telefono|telefone|telefoon|handy|phonenumber|landline|cellphone|téléphone|teléfono",
    ),
    (
        c::PHONE,
        "móvil|movil|celulare|cellulare|mobil|mobiltelefon|puhelin|komórka|komorka|telefonu|tél",
    ),
    (c::PHONE, "电话|手机|電話|携帯|전화|휴대폰|телефон|тел|هاتف|טלפון|โทร|मोबाइल|τηλέφωνο|fon"),
    (
        c::CALL,
        "cell|call|calls|called|calling|sms|dial|mob|reached|reach|callback|contact|text|ring|rang|desk|\
         office|answering|answers|message|messages|voicemail|appelez|appeler|joindre|anrufen|rufen|\
         ruf|llama|llame|llamar|llámame|llamame|llámeme|ligue|ligar|bel|chiama|chiamare|dzwon|zadzwon|zadzwoń|ring|tlf|home",
    ),
    (c::IP, "ip|ipv4|ipv6|ipaddr|ipaddress|client|remote|host|server|addr"),
    (
        c::BIRTH,
        "dob|birth|birthday|birthdate|born|geboren|geburtsdatum|naissance|nacimiento|nascimento|nascita",
    ),
    (c::BIRTH, "geburtstag|née|né|nacido|nacida|dateofbirth|geb|geboortedatum"),
    (
        c::NATIONAL,
        "national|identity|citizen|personal|identification|kimlik|identidad|identite|resident|ident",
    ),
    (c::TAX, "tax|taxpayer|tin|vat|steuer|fiscal|taxid|gst|fiscale|iva|impuesto|ust"),
    (c::TAX | c::NATIONAL, "idnr|tinnumber"),
    (c::PASSPORT, "passport|reisepass|pasaporte|passeport|passaporto|paspoort"),
    (c::DRIVER, "dvla|dmv|führerschein|fuehrerschein"),
    (c::DRIVING, "driver|drivers|driving"),
    (c::LICENCE, "licence|license|dl"),
    (c::VEHICLE, "vin|vehicle|car|chassis|truck|plate"),
    (
        c::ACCOUNT,
        "account|acct|konto|kontonummer|cuenta|compte|checking|savings|deposit|wire|conta",
    ),
    (c::ROUTING, "routing|aba|rtn|bank|transit|ach|wire"),
    (c::CRYPTO, "bitcoin|btc|wallet|ethereum|eth|crypto|ltc|litecoin|doge|address|tron|trx"),
    (
        c::HEALTH,
        "health|patient|medical|insurance|hospital|clinic|doctor|physician|provider|versicherten|arzt|\
         arztes",
    ),
    (c::DEVICE, "imei|device|handset|imsi|iccid"),
    (
        c::OTHER,
        "order|orders|version|versions|build|commit|sha|hash|checksum|digest|uuid|guid|etag|trace|span|tracking",
    ),
    (
        c::OTHER,
        "timestamp|ts|epoch|offset|bytes|size|port|pid|isbn|ean|upc|sku|barcode|invoice|ticket|revision",
    ),
    (
        c::OTHER,
        "request|correlation|transaction|serial|batch|shipment|parcel|article|line|row|seq|sequence|job",
    ),
    (
        c::OTHER | c::VERSION,
        "version|versions|build|release|firmware|ver|upgrade|upgraded|rev|driver|patch|section|sections|clause|§|§§",
    ),
    (c::US, "ssn|ssns|itin|socialsecurity|socialsecuritynumber"),
    (c::EIN, "ein|fein|employer"),
    (c::UK, "nino|ni|utr|hmrc|dvla|uk|british"),
    (c::NHS, "nhs|chi|hcn"),
    (c::AU, "tfn|abn|acn|australian|ato|medicare|australia|ihi"),
    (c::CA, "sin|canadian|nas|canada"),
    (c::IN, "aadhaar|aadhar|uidai|uid|pan|gstin|india|indian|permanent"),
    (c::AUSWEIS, "ausweis|personalausweis|ausweisnummer|ausweisnr"),
    (c::LANR, "lanr|arztnummer"),
    (c::VOTER, "voter|elector|electoral"),
    (
        c::DE,
        "steuer|steuerid|idnr|ustid|steueridentifikationsnummer|rentenversicherung|rvnr|personalausweis",
    ),
    (
        c::DE,
        "sozialversicherungsnummer|versicherungsnummer|ausweis|ausweisnummer|german|kvnr|finanzamt|svnr",
    ),
    (
        c::DE,
        "identifikationsnummer|steuernummer|umsatzsteuer|deutschland|germany|krankenversicherung",
    ),
    (c::FR, "nir|insee|securite|sécurité|secu|siren|siret|french|france|tva|sociale|spi"),
    (c::IT, "codice|fiscale|partita|iva|piva|italian|italia|italy|codicefiscale"),
    (c::ES, "dni|nie|nif|cif|español|spain|españa|spanish|extranjero|espana"),
    (c::NL, "bsn|burgerservicenummer|sofi|sofinummer|dutch|netherlands|nederland|rsin|btw|kvk"),
    (
        c::BE,
        "rijksregister|rijksregisternummer|niss|insz|nrn|belgian|belgium|registre|belgie|belgique|bis",
    ),
    (c::CH, "ahv|avs|swiss|switzerland|schweiz|sozialversicherung|nss|uid|oasi"),
    (c::AT, "svnr|sozialversicherungsnummer|austrian|austria|österreich|oesterreich|sv|vsnr|svn"),
    (c::PT, "nif|contribuinte|portuguese|portugal|niss|nipc"),
    (c::DK, "cpr|danish|denmark|danmark|cvr"),
    (c::NO, "fodselsnummer|fødselsnummer|fnr|personnummer|norwegian|norway|norge|dnr|orgnr"),
    (c::SE, "personnummer|swedish|sweden|sverige|samordningsnummer|pnr|organisationsnummer|orgnr"),
    (c::FI, "hetu|henkilotunnus|henkilötunnus|finnish|finland|suomi"),
    (c::IS, "kennitala|kt|icelandic|iceland"),
    (c::EE, "isikukood|estonian|estonia|asmens|kodas|lithuanian|lithuania|ik"),
    (c::LV, "personas|kods|latvian|latvia|pk"),
    (c::PL, "pesel|nip|regon|polish|poland|polska|dowod|dowód|dowodu"),
    (c::RO, "cnp|romanian|romania|cui|cif"),
    (c::BG, "egn|bulgarian|bulgaria|егн"),
    (c::CZ, "rodne|rodné|cislo|číslo|czech|slovak|czechia|slovakia|rc|rodnecislo|birthnumber"),
    (c::HR, "oib|croatian|croatia|hrvatska"),
    (c::YU, "jmbg|emso|emšo|serbian|serbia|slovenian|slovenia|bosnia|macedonia|davcna"),
    (c::GR, "amka|afm|greek|greece|αμκα|αφμ"),
    (c::IE, "pps|ppsn|irish|ireland|rsi"),
    (c::TR, "tckn|tc|kimlik|turkish|turkey|türkiye|vkn"),
    (c::ZA, "rsa|african|sa|za|idnumber|sars"),
    (c::KR, "rrn|korean|korea|jumin|주민등록번호|frn|brn|resident"),
    (c::JP, "mynumber|japan|japanese|individual|マイナンバー|個人番号|kojin|my"),
    (c::CN, "resident|china|chinese|身份证|身份证号|shenfenzheng|prc|citizen"),
    (c::TW, "taiwan|taiwanese|身分證|roc"),
    (c::HK, "hkid|hong|kong"),
    (c::SG, "nric|fin|singapore|uen"),
    (c::AE, "emirates|emirati|uae"),
    (c::SA, "iqama|saudi"),
    (c::EG, "egypt|egyptian"),
    (c::PK, "cnic|nicop|nadra|pakistan|pakistani"),
    (c::TH, "thai|thailand|เลขประจำตัวประชาชน|tnin"),
    (c::MY, "mykad|malaysian|malaysia|nric|ic"),
    (c::ID, "nik|ktp|indonesian|indonesia|npwp"),
    (c::IL, "teudat|zehut|israeli|israel|tz"),
    (c::MX, "curp|rfc|mexican|mexico|méxico|clabe|nss"),
    (c::AR, "cuit|cuil|argentina|argentine|dni"),
    (c::CL, "rut|run|chile|chilean"),
    (c::CO, "nit|colombia|colombian|cedula|cédula"),
    (c::EC, "cedula|cédula|ecuador|ecuadorian|ruc"),
    (c::NZ, "ird|zealand|nhi"),
    (c::RU, "snils|inn|снилс|инн|russian|russia|ogrn|паспорт"),
    (c::UA, "rntrc|ukrainian|ukraine|рнокпп|іпн|ipn|edrpou"),
    (c::KZ, "iin|kazakh|kazakhstan|иин|bin"),
    (c::BR, "cpf|cnpj|brazilian|brazil|brasil|rg|cnh|titulo"),
    (c::PIS, "pis|pasep|nis"),
    (
        c::PERSON,
        "customer|customers|patient|patients|employee|employees|member|client|citizen|applicant|\
         passenger|guest|holder|taxpayer|worker|student|tenant|insured|policyholder|kunde|kundin|\
         patientin|cliente|paciente|trabajador|mr|mrs|ms",
    ),
    (c::SOCIAL, "social"),
    (c::SECURITY, "security|sec"),
    (c::INSURANCE, "insurance"),
    (c::FILE, "file"),
    (c::UY, "uruguay|cedula|cédula|uruguayan"),
    (c::PE, "peru|ruc|peruvian|perú"),
    (c::DO, "dominican|dominicana|cedula|cédula|rnc"),
    (c::HU, "adoazonosito|adóazonosító|hungarian|hungary|taj|adojel"),
    (c::NPI, "npi|provider"),
    (c::DEA, "dea|prescriber"),
    (c::MEDICARE, "medicare|mbi|beneficiary|cms"),
    (c::IBAN, "iban"),
    (c::PASSWORD, "password|passwd|pwd|passphrase"),
    (c::SECRET, "secret|token|apikey|credential|credentials|bearer"),
];

/// Services whose secrets have no form of their own, with their classes.
pub(super) const VENDORS: &[(&str, &str)] = &[
    ("aws|amazon", "secret.aws"),
    ("azure|cosmos|apim", "secret.azure"),
    ("gcp|google|firebase", "secret.gcp"),
    ("github|gh", "secret.github"),
    ("gitlab", "secret.gitlab"),
    ("slack", "secret.slack"),
    ("stripe", "secret.stripe"),
    ("twilio", "secret.twilio"),
    ("datadog|dd", "secret.datadog"),
    ("heroku", "secret.heroku"),
    ("asana", "secret.asana"),
    ("telegram", "secret.telegram"),
    ("discord", "secret.discord"),
    ("openai", "secret.openai"),
    ("anthropic|claude", "secret.anthropic"),
    ("cloudflare|cf", "secret.cloudflare"),
    ("okta|auth0", "secret.okta"),
    ("mailchimp", "secret.mailchimp"),
    ("sendgrid", "secret.sendgrid"),
    ("npm", "secret.npm"),
    ("jwt", "secret.jwt"),
    ("newrelic", "secret.newrelic"),
    ("algolia", "secret.algolia"),
    ("facebook|fb", "secret.facebook"),
    ("twitter", "secret.twitter"),
    ("linkedin", "secret.linkedin"),
    ("dropbox", "secret.dropbox"),
    ("shopify", "secret.shopify"),
    ("vault", "secret.vault"),
    ("airtable", "secret.airtable"),
];

/// Words at the end of a key that say nothing: `phone_number`, `ssn_value`, `password2`.
pub(super) const TAILS: &[&str] = &[
    "value",
    "number",
    "no",
    "nr",
    "num",
    "text",
    "plain",
    "plaintext",
    "raw",
    "str",
    "string",
    "clear",
    "confirmation",
    "confirm",
    "old",
    "new",
    "current",
    "1",
    "2",
    "3",
    "4",
    "field",
    "input",
    "data",
    "env",
    "primary",
    "secondary",
    "main",
    "home",
    "work",
    "encoded",
    "b64",
    "base64",
    "prod",
    "production",
    "dev",
    "test",
    "staging",
    "live",
    "default",
    "local",
    "is",
    "was",
    "are",
];
