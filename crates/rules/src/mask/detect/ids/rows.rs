//! The table of numbers: how many digits, how their country writes them, what checks them, and how much
//! each says by itself.
//!
//! `alone` is the score of a number as its country groups it, with no word around; `bare` that of its
//! digits without anything between. Both come from how many random numbers would pass: a number that
//! one in ten passes says nothing without a word.

use super::{europe as e, world as w};
use crate::mask::detect::{
    concepts as c,
    number::{Sieve, layout},
    page::{What, what},
};

/// A kind of number.
pub(super) struct Row {
    /// How many digits.
    pub(super) digits: usize,
    /// How its country groups them: lengths with what parts them; `A` is ten, `D` thirteen.
    layouts: [u128; LAYOUTS_MAX],
    /// The same, for a look at a glance.
    sieve: Sieve,
    /// Its check.
    pub(super) check: fn(&[u8]) -> bool,
    /// What it is.
    pub(super) what: What,
    /// The words that name it.
    pub(super) concepts: u128,
    /// Its score in one of its layouts.
    pub(super) alone: u8,
    /// Its score as bare digits.
    pub(super) bare: u8,
}

/// No number is written in more ways.
const LAYOUTS_MAX: usize = 4;

#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
const fn packed(layouts: &[&str]) -> [u128; LAYOUTS_MAX] {
    let mut packed = [0; LAYOUTS_MAX];
    let mut at = 0;
    while at < layouts.len() {
        packed[at] = layout(layouts[at]);
        at += 1;
    }
    packed
}

type Check = fn(&[u8]) -> bool;

const fn row(
    digits: usize,
    what: What,
    check: Check,
    concepts: u128,
    layouts: &'static [&'static str],
    scores: (u8, u8),
) -> Row {
    let layouts = packed(layouts);
    let sieve = Sieve::of(&layouts);
    Row { digits, layouts, sieve, check, what, concepts, alone: scores.0, bare: scores.1 }
}

impl Row {
    /// Whether its country groups digits so.
    pub(super) fn is_grouped(&self, layout: u128) -> bool {
        self.sieve.may_hold(layout) && self.layouts.contains(&layout)
    }
}

const fn id(class: &'static str, detector: &'static str) -> What {
    what(class, detector)
}

/// Numbers of so many digits.
pub(super) fn of(digits: usize) -> impl Iterator<Item = &'static Row> {
    let part: &[Row] = match digits {
        8 | 9 => SHORT,
        10 => TEN,
        11 => ELEVEN,
        12..=19 => LONG,
        _ => &[],
    };
    part.iter().filter(move |row| row.digits == digits)
}

/// The layouts of all of them.
pub(in crate::mask::detect) const LAYOUTS: Sieve = {
    let (mut sieve, mut tables) = (Sieve::NOTHING, [SHORT, TEN, ELEVEN, LONG].as_slice());
    while let Some((rows, others)) = tables.split_first() {
        let mut rows = *rows;
        while let Some((row, rest)) = rows.split_first() {
            (sieve, rows) = (sieve.and(row.sieve), rest);
        }
        tables = others;
    }
    sieve
};

const SHORT: &[Row] = &[
    row(9, id("pii.national_id.us", "us_ssn"), w::us_ssn, c::US, &["3-2-4"], (70, 15)),
    row(9, id("pii.national_id.us", "us_ssn_spaced"), w::us_ssn, c::US, &["3 2 4"], (45, 15)),
    row(9, id("pii.tax.us", "us_itin"), w::us_itin, c::US, &["3-2-4"], (75, 30)),
    row(9, id("pii.tax.us", "us_ein"), w::us_ein, c::EIN, &["2-7"], (40, 10)),
    row(9, id("pii.bank.routing", "us_aba"), w::us_aba, c::ROUTING, &["4-4-1"], (60, 30)),
    row(9, id("pii.national_id.ca", "ca_sin"), w::ca_sin, c::CA, &["3-3-3"], (45, 30)),
    row(9, id("pii.national_id.nl", "nl_bsn"), e::nl_bsn, c::NL, &["4.2.3"], (60, 30)),
    row(9, id("pii.tax.pt", "pt_nif"), e::pt_nif, c::PT, &[], (40, 30)),
    row(9, id("pii.tax.pl", "pl_regon"), e::pl_regon, c::PL, &[], (40, 25)),
    row(9, id("pii.tax.gr", "gr_afm"), e::gr_afm, c::GR, &[], (40, 30)),
    row(9, id("pii.national_id.hu", "hu_taj"), e::hu_taj, c::HU, &["3-3-3", "3 3 3"], (45, 25)),
    row(9, id("pii.tax.fr", "fr_siren"), super::sums::luhn, c::FR, &["3 3 3"], (35, 20)),
    row(9, id("pii.national_id.il", "il_teudat_zehut"), w::il_person, c::IL, &["8-1"], (45, 25)),
    row(9, id("pii.tax.au", "au_tfn"), w::au_tfn, c::AU, &["3 3 3"], (45, 30)),
    row(9, id("pii.tax.au", "au_acn"), w::au_acn, c::AU, &["3 3 3"], (45, 30)),
    row(9, id("pii.tax.nz", "nz_ird"), w::nz_ird, c::NZ, &["3-3-3"], (45, 15)),
    row(9, id("pii.national_id.cl", "cl_rut"), w::cl_rut, c::CL, &["2.3.3-1"], (80, 30)),
    row(9, id("phi.health_id.de", "de_lanr"), w::de_lanr, c::LANR, &[], (40, 15)),
    row(8, id("pii.national_id.cl", "cl_rut"), w::cl_rut, c::CL, &["1.3.3-1"], (75, 30)),
    row(8, id("pii.tax.nz", "nz_ird"), w::nz_ird_short, c::NZ, &["2-3-3"], (45, 30)),
    row(8, id("pii.national_id.uy", "uy_cedula"), w::uy_cedula, c::UY, &["1.3.3-1"], (75, 25)),
];

const TEN: &[Row] = &[
    row(10, id("phi.health_id.uk", "uk_nhs"), e::uk_nhs, c::NHS, &["3 3 4", "3-3-4"], (45, 35)),
    row(10, id("pii.tax.uk", "uk_utr"), e::uk_utr, c::UK, &["5 5"], (45, 15)),
    row(10, id("phi.health_id.us", "us_npi"), w::us_npi, c::NPI, &[], (40, 35)),
    row(10, id("pii.tax.be", "be_vat"), e::be_vat, c::BE, &["4.3.3"], (80, 40)),
    row(10, id("pii.national_id.at", "at_svnr"), e::at_svnr, c::AT, &["4 6", "4-6"], (80, 45)),
    row(10, id("pii.national_id.dk", "dk_cpr"), e::dk_cpr, c::DK, &["6-4"], (45, 30)),
    row(
        10,
        id("pii.national_id.dk", "dk_cpr_checked"),
        e::dk_cpr_checked,
        c::DK,
        &["6-4"],
        (75, 30),
    ),
    row(10, id("pii.national_id.fi", "fi_hetu_digits"), e::fi_hetu, c::FI, &["6-4"], (86, 20)),
    row(10, id("pii.national_id.se", "se_personnummer"), e::se_person, c::SE, &["6-4"], (85, 35)),
    row(10, id("pii.tax.se", "se_organisation"), e::se_organisation, c::SE, &["6-4"], (45, 25)),
    row(10, id("pii.national_id.is", "is_kennitala"), e::is_kennitala, c::IS, &["6-4"], (85, 45)),
    row(
        10,
        id("pii.tax.pl", "pl_nip"),
        e::pl_nip,
        c::PL,
        &["3-3-2-2", "3-2-2-3", "3 3 2 2"],
        (85, 35),
    ),
    row(10, id("pii.national_id.bg", "bg_egn"), e::bg_egn, c::BG, &["6 4"], (60, 40)),
    row(
        10,
        id("pii.national_id.cz", "cz_birth_number"),
        e::cz_birth_number,
        c::CZ,
        &["6/4"],
        (90, 45),
    ),
    row(10, id("pii.tax.kr", "kr_brn"), w::kr_brn, c::KR, &["3-2-5"], (45, 15)),
    row(10, id("pii.tax.hu", "hu_tax"), e::hu_tax, c::HU, &[], (40, 35)),
    row(10, id("pii.tax.ru", "ru_inn"), e::ru_inn_short, c::RU, &[], (40, 30)),
    row(10, id("pii.tax.ua", "ua_tax"), e::ua_tax, c::UA, &[], (40, 30)),
    row(10, id("pii.tax.co", "co_nit"), w::co_nit, c::CO, &["3.3.3-1"], (85, 30)),
    row(10, id("pii.national_id.ec", "ec_cedula"), w::ec_cedula, c::EC, &["9-1"], (45, 35)),
    row(10, id("pii.national_id.sa", "sa_person"), w::sa_person, c::SA, &[], (40, 20)),
    row(
        10,
        id("phi.health_id.au", "au_medicare"),
        w::au_medicare,
        c::AU | c::MEDICARE,
        &["4 5 1", "4-5-1"],
        (85, 40),
    ),
];

const ELEVEN: &[Row] = &[
    row(
        11,
        id("pii.national_id.br", "br_cpf"),
        w::br_cpf,
        c::BR,
        &["3.3.3-2", "9-2", "3 3 3 2", "3-3-3-2"],
        (92, 45),
    ),
    row(11, id("pii.national_id.br", "br_pis"), w::br_pis, c::PIS, &["3.5.2-1"], (88, 35)),
    row(11, id("pii.tax.de", "de_tax_id"), e::de_tax_id, c::DE, &["2 3 3 3"], (85, 42)),
    row(11, id("pii.tax.it", "it_vat"), super::sums::luhn, c::IT, &[], (40, 20)),
    row(11, id("pii.tax.hr", "hr_oib"), super::sums::mod_11_10, c::HR, &[], (40, 30)),
    row(
        11,
        id("pii.national_id.be", "be_national"),
        e::be_national,
        c::BE,
        &["2.2.2-3.2", "2.2.2-3-2", "6-3-2", "6 3 2"],
        (95, 60),
    ),
    row(
        11,
        id("pii.national_id.no", "no_birth_number"),
        e::no_birth_number,
        c::NO,
        &["6 5"],
        (90, 60),
    ),
    row(11, id("pii.national_id.ee", "ee_person"), e::ee_person, c::EE, &[], (45, 45)),
    row(11, id("pii.national_id.lv", "lv_person"), e::lv_person, c::LV, &["6-5"], (85, 20)),
    row(11, id("pii.national_id.pl", "pl_pesel"), e::pl_pesel, c::PL, &[], (45, 45)),
    row(11, id("pii.national_id.gr", "gr_amka"), e::gr_amka, c::GR, &[], (45, 45)),
    row(
        11,
        id("pii.national_id.tr", "tr_person"),
        e::tr_person,
        c::TR,
        &["3 3 3 2", "3-3-3-2"],
        (60, 45),
    ),
    row(
        11,
        id("pii.national_id.ru", "ru_snils"),
        e::ru_snils,
        c::RU,
        &["3-3-3 2", "3-3-3-2"],
        (92, 45),
    ),
    row(11, id("pii.national_id.mx", "mx_nss"), w::mx_nss, c::MX, &["2 2 2 4 1"], (60, 25)),
    row(11, id("pii.tax.ar", "ar_cuit"), w::ar_cuit, c::AR, &["2-8-1"], (90, 42)),
    row(11, id("pii.tax.pe", "pe_ruc"), w::pe_ruc, c::PE, &[], (45, 40)),
    row(11, id("pii.national_id.do", "do_cedula"), w::do_cedula, c::DO, &["3-7-1"], (85, 25)),
    row(11, id("pii.tax.au", "au_abn"), w::au_abn, c::AU, &["2 3 3 3"], (84, 45)),
    row(
        11,
        id("phi.health_id.au", "au_medicare"),
        w::au_medicare,
        c::AU | c::MEDICARE,
        &["4 5 1 1", "4 5 2", "4 5 1-1", "A-1"],
        (85, 35),
    ),
];

const LONG: &[Row] = &[
    row(
        12,
        id("pii.national_id.in", "in_aadhaar"),
        w::in_aadhaar,
        c::IN,
        &["4 4 4", "4-4-4"],
        (45, 40),
    ),
    row(
        12,
        id("pii.national_id.jp", "jp_my_number"),
        w::jp_my_number,
        c::JP,
        &["4 4 4", "4-4-4"],
        (45, 35),
    ),
    row(
        12,
        id("pii.national_id.se", "se_personnummer"),
        e::se_person_long,
        c::SE,
        &["8-4"],
        (92, 60),
    ),
    row(
        12,
        id("pii.national_id.se", "se_personnummer_young"),
        e::se_person_young,
        c::SE,
        &["8-4"],
        (45, 45),
    ),
    row(12, id("pii.tax.ru", "ru_inn_person"), e::ru_inn, c::RU, &[], (45, 45)),
    row(12, id("pii.national_id.my", "my_nric"), w::my_nric, c::MY, &["6-2-4"], (88, 35)),
    row(12, id("pii.national_id.kz", "kz_iin"), w::kz_iin, c::KZ, &[], (45, 45)),
    row(
        13,
        id("pii.national_id.ch", "ch_ahv"),
        e::ch_ahv,
        c::CH,
        &["3.4.4.2", "3 4 4 2"],
        (95, 80),
    ),
    row(13, id("pii.national_id.ro", "ro_cnp"), e::ro_cnp, c::RO, &[], (60, 60)),
    row(13, id("pii.national_id.yu", "yu_jmbg"), e::yu_jmbg, c::YU, &[], (60, 60)),
    row(
        13,
        id("pii.national_id.za", "za_person"),
        w::za_person,
        c::ZA,
        &["6 4 3", "6 4 2 1", "6 4 1 2"],
        (85, 45),
    ),
    row(13, id("pii.national_id.kr", "kr_rrn"), w::kr_rrn, c::KR, &["6-7"], (88, 40)),
    row(13, id("pii.national_id.kr", "kr_foreigner"), w::kr_foreigner, c::KR, &["6-7"], (85, 40)),
    row(
        13,
        id("pii.national_id.th", "th_person"),
        w::th_person,
        c::TH,
        &["1-4-5-2-1", "1 4 5 2 1"],
        (95, 42),
    ),
    row(13, id("pii.national_id.pk", "pk_person"), w::pk_person, c::PK, &["5-7-1"], (45, 10)),
    row(14, id("pii.national_id.eg", "eg_person"), w::eg_person, c::EG, &[], (40, 25)),
    row(14, id("pii.tax.br", "br_cnpj"), w::br_cnpj, c::BR, &["2.3.3/4-2", "8/4-2"], (92, 45)),
    row(14, id("pii.tax.fr", "fr_siret"), super::sums::luhn, c::FR, &["3 3 3 5"], (60, 20)),
    row(
        15,
        id("pii.national_id.fr", "fr_nir"),
        e::fr_nir,
        c::FR,
        &["1 2 2 2 3 3 2", "D 2", "1-2-2-2-3-3-2", "1 2 2 2 6 2"],
        (95, 60),
    ),
    row(15, id("pii.national_id.ae", "ae_person"), w::ae_person, c::AE, &["3-4-7-1"], (95, 75)),
    row(15, id("pii.tax.id", "id_npwp"), w::id_npwp, c::ID, &["2.3.3.1-3.3"], (92, 30)),
    row(
        15,
        id("pii.device", "imei"),
        w::imei,
        c::DEVICE,
        &["2-6-6-1", "2 6 6 1", "6-2-6-1"],
        (88, 30),
    ),
    row(16, id("pii.national_id.id", "id_nik"), w::id_nik, c::ID, &[], (40, 40)),
    row(16, id("phi.health_id.au", "au_ihi"), w::au_ihi, c::AU, &["4 4 4 4"], (85, 75)),
    row(18, id("pii.national_id.cn", "cn_resident"), w::cn_resident, c::CN, &["6 8 4"], (92, 85)),
    row(
        18,
        id("pii.bank.account", "mx_clabe"),
        w::mx_clabe,
        c::MX | c::ACCOUNT,
        &["3 3 11 1"],
        (60, 42),
    ),
];

#[cfg(test)]
mod tests {
    use super::of;

    /// Numbers that the authorities, or descriptions of their formulas, print as examples.
    #[test]
    fn published_examples_are_known() {
        for (detector, number) in [
            ("uk_nhs", "9434765919"),
            ("us_npi", "1245319599"),
            ("us_aba", "021000021"),
            ("ca_sin", "130692544"),
            ("ca_sin", "046454286"),
            ("br_cpf", "39053344705"),
            ("br_cnpj", "16727230000197"),
            ("de_tax_id", "36574261809"),
            ("fr_nir", "295109912611193"),
            ("nl_bsn", "111222333"),
            ("be_national", "85073003328"),
            ("ch_ahv", "7569217076985"),
            ("at_svnr", "1237010180"),
            ("pt_nif", "501964843"),
            ("no_birth_number", "15108695088"),
            ("se_personnummer", "8803200016"),
            ("is_kennitala", "4504013150"),
            ("ee_person", "36805280109"),
            ("lv_person", "16117519997"),
            ("pl_pesel", "44051401359"),
            ("pl_nip", "8567346215"),
            ("ro_cnp", "1630615123457"),
            ("bg_egn", "7523169263"),
            ("cz_birth_number", "7103192745"),
            ("hr_oib", "33392005961"),
            ("yu_jmbg", "0101006500006"),
            ("gr_amka", "01013099997"),
            ("tr_person", "17291716060"),
            ("za_person", "7503305044089"),
            ("kr_rrn", "9710139019902"),
            ("cn_resident", "360426199101010071"),
            ("th_person", "1101700230708"),
            ("in_aadhaar", "234123412346"),
            ("il_teudat_zehut", "039337423"),
            ("au_tfn", "123456782"),
            ("au_abn", "83914571673"),
            ("au_acn", "004085616"),
            ("nz_ird", "123456785"),
            ("ar_cuit", "20055361682"),
            ("cl_rut", "125319092"),
            ("mx_clabe", "032180000118359719"),
            ("ru_snils", "11223344595"),
            ("jp_my_number", "123456789018"),
        ] {
            let digits: Vec<u8> = number.bytes().map(|byte| byte - b'0').collect();
            let known =
                of(digits.len()).any(|row| row.what.detector == detector && (row.check)(&digits));
            assert!(known, "{detector} {number}");
        }
    }
}
