//! Mappings that are wrong, and what is said of them; rows through mappings that are right.

use proptest::prelude::*;

use super::*;
use crate::tabular::{Encoding, Row, Rows, Source};

fn parse(text: &str, kind: Kind) -> Result<Mapping, Failure> {
    let document = Document {
        path: PathBuf::from("m.toml"),
        text: text.to_owned(),
    };
    Mapping::parse(document, kind)
}

/// A whole mapping with something in it.
fn with(more: &str) -> String {
    format!("[learner]\nhandle = \"{{h}}\"\n[record]\nrecord_id = \"{{id}}\"\n{more}")
}

fn said(text: &str) -> String {
    match parse(text, Kind::Achievements) {
        Ok(_) => "right".to_owned(),
        Err(failure) => failure.to_string(),
    }
}

/// A mapping, or what follows the good part of one, and what is said.
const WRONG: &[(&str, &str)] = &[
    ("code = \"{c}\"", "right"),
    (
        "cod = \"{c}\"",
        "m.toml: line 5, column 1: there is no key `cod` in record; did you mean `code`?",
    ),
    ("code = ", "m.toml: line 5, column 8: this is not TOML: "),
    (
        "code = 1.5",
        "m.toml: line 5, column 8: `record.code` is a text: write it in quotes",
    ),
    ("code = 15", "right"),
    ("awarded = 2025-06-30", "right"),
    (
        "code = \"{c\"",
        "m.toml: line 5, column 8: `record.code` has a brace without its other half",
    ),
    (
        "code = \"c}\"",
        "m.toml: line 5, column 8: `record.code` has a brace",
    ),
    (
        "code = \"{}\"",
        "m.toml: line 5, column 8: there is no name between the braces",
    ),
    ("code = \"{{c}}\"", "right"),
    (
        "code = { map = {} }",
        "m.toml: line 5, column 8: `record.code` needs `from`",
    ),
    (
        "code = { from = \"{c}\", mapp = {} }",
        "m.toml: line 5, column 24: there is no key `mapp` in record.code; did you mean `map`?",
    ),
    (
        "code = { from = \"{c}\", otherwise = \"skip\" }",
        "line 5, column 36: `otherwise` says what becomes of values",
    ),
    (
        "code = { from = \"{c}\", map = { a = 1 } }",
        "line 5, column 36: `record.code.map.a` is a text",
    ),
    (
        "code = { from = \"{c}\", map = {}, otherwise = \"drop\" }",
        "is one of \"reject\", \"skip\", \"keep\", \"empty\"",
    ),
    (
        "code = { from = \"{c}\", split = \";\" }",
        "`record.code` is one text: it cannot be split",
    ),
    ("outcomes = { from = \"{c}\", split = \";\" }", "right"),
    ("outcomes = [\"{a}\", \"{b}\"]", "right"),
    (
        "outcomes = { from = \"{c}\", split = \"\" }",
        "`split` is what stands between the texts",
    ),
    (
        "size = \"{n}\"",
        "line 5, column 8: `record.size` is a table: write [record.size]",
    ),
    (
        "size = { unit = \"ects\" }",
        "line 5, column 8: `amount` is missing here",
    ),
    ("titles = \"{t}\"", "`record.titles` is a list"),
    (
        "[[record.titles]]\nvalue = \"{t}\"\nlang = \"en\"",
        "line 7, column 1: there is no key `lang` in record.titles[0]; did you mean `language`?",
    ),
    (
        "expires = { from = \"{e}\", dates = [\"%y-%m-%d\"] }",
        "line 5, column 36: %y has no century",
    ),
    (
        "expires = { from = \"{e}\", dates = [] }",
        "name at least one format",
    ),
    (
        "[input]\nencoding = \"latin1\"",
        "line 6, column 12: `input.encoding` is one of \"auto\", \"utf-8\", \"gb18030\"",
    ),
    (
        "[input]\ndelimiter = \"ab\"",
        "`delimiter` is one character",
    ),
    (
        "[input]\ndelimiter = \"样\"",
        "`delimiter` is one character",
    ),
    (
        "[input]\nformat = \"jsonl\"\ndelimiter = \";\"",
        "JSON Lines have no delimiter",
    ),
    ("[input]\ntrim = \"yes\"", "`input.trim` is true or false"),
    (
        "[input]\ndates = [\"%d.%m\"]",
        "line 6, column 10: \"%d.%m\" leaves something open",
    ),
    (
        "[[only]]\nin = [\"a\"]",
        "line 5, column 1: `column` is missing here",
    ),
    (
        "[[only]]\ncolumn = \"a\"",
        "say exactly one of `in`, `not_in` and `empty`",
    ),
    (
        "[[only]]\ncolumn = \"a\"\nin = [\"x\"]\nempty = true",
        "say exactly one of",
    ),
    ("[only]\ncolumn = \"a\"", "`only` is a list"),
    (
        "[lookup.l]\nkey = [\"a\"]",
        "line 5, column 1: `file` is missing here",
    ),
    (
        "[lookup.l]\nfile = \"l.csv\"\nkey = []",
        "`key` names at least one column",
    ),
    (
        "[lookup.l]\nfile = \"l.csv\"\nkey = [\"a\", \"b\"]\nwith = [\"a\"]",
        "`with` as many",
    ),
    (
        "[lookup.l]\nfile = \"l.jsonl\"\nkey = [\"a\"]",
        "a look-up is a CSV file",
    ),
    (
        "[institution]\ninstitution_id = \"a\"",
        "there is no key `institution` at the top",
    ),
];

#[test]
fn what_is_wrong_with_a_mapping_is_said_with_its_place() {
    let mut other = Vec::new();
    for (more, expected) in WRONG {
        let sentence = said(&with(more));
        if !sentence.contains(expected) {
            other.push(format!("{more}\n  {sentence}\n  {expected}"));
        }
    }
    assert!(other.is_empty(), "{}", other.join("\n"));
    for (text, expected) in [
        (
            "",
            "m.toml: line 1, column 1: the mapping needs a table [record]",
        ),
        (
            "[record]\ncode = \"a\"",
            "the mapping needs a table [learner]",
        ),
        (
            "[record]\n[learner]\nhandle = \"a\"\nstudent = { number = \"b\" }",
            "names a learner by exactly one of",
        ),
        ("[record]\n[learner]\n", "names a learner by exactly one of"),
        (
            "[record]\n[record]\n",
            "m.toml: line 2, column 2: this is not TOML: duplicate key",
        ),
    ] {
        let sentence = said(text);
        assert!(sentence.contains(expected), "{text}\n  {sentence}");
    }
}

fn rows(text: &str) -> Rows {
    let bytes = std::io::Cursor::new(text.as_bytes().to_vec());
    let source = Source::of(Box::new(bytes), "f.csv".to_owned(), None).unwrap();
    Rows::open(source, Encoding::Auto, Layout::Csv(b','), &[]).unwrap()
}

/// The rows of a table through a mapping, as JSON, or what is said of them.
fn mapped(mapping: &str, table: &str, lookup_dir: Option<&Path>) -> Vec<String> {
    let mut rows = rows(table);
    let mapping = parse(mapping, Kind::Achievements).unwrap();
    let bound = match mapping.bind(rows.columns(), "f.csv", lookup_dir) {
        Ok(bound) => bound,
        Err(failure) => return vec![failure.to_string()],
    };
    let mut found = Vec::new();
    while let Some(row) = rows.next().unwrap() {
        found.push(shown(&bound, &row));
    }
    found
}

fn shown(bound: &Bound, row: &Row) -> String {
    match bound.map(row) {
        Ok(Mapped { subject, .. }) => Json::Object(subject).to_string(),
        Err(Stop::Skip) => "skipped".to_owned(),
        Err(Stop::Reject(problem)) => {
            format!("{} {}: {}", problem.reason, problem.field, problem.sentence)
        }
    }
}

#[test]
fn cells_become_fields() {
    let mapping = "\
[input]
empty = [\"-\"]
[[only]]
column = \"mark\"
not_in = [\"absent\"]
[[only]]
column = \"id\"
empty = false
[learner]
student = { number = \"{id}\" }
[record]
record_id = \"{term}-{id}\"
attempt = \"{try}\"
origin = \"{how}\"
awarded = \"{day}\"
outcomes = { from = \"{out}\", split = \";\" }
titles = [{ value = \"{title}\", language = \"en\" }, { value = \"{titel}\", language = \"de\" }]
size = { amount = \"{n}\", unit = \"ects\" }
results = [{ value = { from = \"{mark}\", map = { A = \"1\", B = \"2\", X = \"\" }, otherwise = \"skip\" } }]
tier = { from = \"{term}\", map = { T1 = \"low\" }, otherwise = \"empty\", default = \"none\" }
";
    let header = "id,term,try,how,day,out,title,titel,n,mark\n";
    let table = format!(
        "{header}1,T1,2,earned,2025-06-30, a ; b;,One,Eins,3,A\n\
         2,T2,,,2025-06-30,,Two,-,,X\n\
         3,T1,,,2025-06-30,,Two,,,absent\n\
         ,T1,,,2025-06-30,,Two,,,A\n\
         4,,,,2025-06-30,,Two,,,A\n\
         5,T1,x,,2025-06-30,,Two,,,A\n\
         6,T1,,bought,2025-06-30,,Two,,,A\n\
         7,T1,,,30.6.2025,,Two,,,A\n\
         8,T1,,,,,Two,,,C\n\
         9,T1,,,45123,,Two,,,A\n"
    );
    let found = mapped(mapping, &table, None).join("\n");
    expect_test::expect![[r#"
        {"attempt":2,"awarded":"2025-06-30","learner":{"student":{"number":"1"}},"origin":"earned","outcomes":["a","b"],"record_id":"T1-1","results":[{"value":"1"}],"size":{"amount":"3","unit":"ects"},"tier":"low","titles":[{"language":"en","value":"One"},{"language":"de","value":"Eins"}]}
        {"awarded":"2025-06-30","learner":{"student":{"number":"2"}},"record_id":"T2-2","tier":"none","titles":[{"language":"en","value":"Two"}]}
        skipped
        skipped
        EMPTY_CELL term: term is empty, and record.record_id is made with it
        BAD_NUMBER try: record.attempt is a whole number, such as 2
        UNKNOWN_WORD how: record.origin is one of earned, assessed, transferred, exempted
        BAD_DATE day: "30.6.2025" is in none of the formats that the mapping names (%Y-%m-%d), and which number is the day is not guessed; say dates = ["%d/%m/%Y"], or ["%m/%d/%Y"], or what it is
        skipped
        BAD_DATE day: "45123" is a spreadsheet's serial number, not a date: give the column a date format such as 2021-04-03 there and export it again, or say dates = ["spreadsheet-serial"]"#]]
    .assert_eq(&found);
}

#[test]
fn values_that_a_map_lacks_and_gaps_are_as_the_mapping_says() {
    let table = "h,id,a,b\nx,1,Pass,\nx,2,Fail,y\nx,3,,\n";
    for (rule, expected) in [
        (
            "{ from = \"{a}\", map = { Pass = \"p\" } }",
            [
                "p",
                "UNMAPPED_VALUE a: \"Fail\" has no place in the value map of record.code",
                "",
            ],
        ),
        (
            "{ from = \"{a}\", map = { Pass = \"p\" }, otherwise = \"keep\" }",
            ["p", "Fail", ""],
        ),
        (
            "{ from = \"{a}\", map = { Pass = \"p\", \"\" = \"none\" }, otherwise = \"skip\" }",
            ["p", "skipped", "none"],
        ),
        (
            "{ from = \"{a} {b}\", gaps = \"keep\" }",
            ["Pass", "Fail y", ""],
        ),
        (
            "\"{a} {b}\"",
            [
                "EMPTY_CELL b: b is empty, and record.code is made with it",
                "Fail y",
                "",
            ],
        ),
    ] {
        let found = mapped(&with(&format!("code = {rule}")), table, None);
        for (found, expected) in found.iter().zip(expected) {
            let code = serde_json::from_str::<Json>(found).map_or(found.clone(), |json| {
                json["code"].as_str().unwrap_or_default().to_owned()
            });
            assert_eq!(code, expected, "{rule}");
        }
    }
}

#[test]
fn look_ups_find_by_keys_or_say_what_is_wrong() {
    let dir = tempfile::tempdir().unwrap();
    let mapping = |more: &str| {
        with(&format!(
            "code = \"{{l.code}}\"\n[lookup.l]\nfile = \"l.csv\"\nkey = [\"k\", \"m\"]\nwith = [\"a\", \"b\"]\n{more}"
        ))
    };
    let table = "h,id,a,b\nx,1,k1,m1\nx,2,k1,m2\nx,3,k9,m1\nx,4,,\n";
    let run = |lookup: &str, more: &str| {
        std::fs::write(dir.path().join("l.csv"), lookup).unwrap();
        mapped(&mapping(more), table, Some(dir.path())).join("\n")
    };
    let good = "m,k,code\nm1,k1,C1\nm2,k1,C2\n";
    let found = run(good, "");
    let expected = format!(
        "LOOKUP_MISSING a, b: {}/l.csv has no row for a, b = k9, m1",
        dir.path().display()
    );
    assert!(
        found.contains("\"code\":\"C1\"") && found.contains("\"code\":\"C2\""),
        "{found}"
    );
    assert!(found.contains(&expected), "{found}");
    assert!(!run(good, "missing = \"empty\"").contains("LOOKUP_MISSING"));
    for (lookup, expected) in [
        (
            "m,k,code\nm1,k1,C1\nm1,k1,C2\n",
            "l.csv: line 3: the key k1, m1 is there already, in line 2",
        ),
        ("m,kk,code\n", "m.toml: line 8, column 8: "),
        (
            "m,k,cod\n",
            "has no column `code`; did you mean `cod`? (it has: m, k, cod)",
        ),
        (
            "m,k,code\nm1,k1\n",
            "l.csv: line 2: the row has 2 cells and the header 3",
        ),
        (
            "m,k,code,code\n",
            "l.csv: line 1: the header has \"code\" twice, in columns 3 and 4",
        ),
        ("", "l.csv: line 1: the file is empty"),
    ] {
        let found = run(lookup, "");
        assert!(found.contains(expected), "{lookup}\n  {found}");
    }
    let found = mapped(&mapping(""), table, Some(Path::new("/nowhere"))).join("\n");
    assert!(
        found.contains("m.toml: line 6, column 1: look-up l: /nowhere/l.csv cannot be read"),
        "{found}"
    );
}

#[test]
fn columns_that_a_file_lacks_are_named_with_their_place() {
    let found = mapped(&with("code = \"{kode}\""), "h,id,code\n", None);
    assert_eq!(
        found,
        [
            "m.toml: line 5, column 8: f.csv has no column `kode`; did you mean `code`? (it has: h, id, code)"
        ]
    );
    let optional = with("code = \"{kode}\"\n[input]\noptional = [\"kode\"]");
    assert_eq!(mapped(&optional, "h,id\nx,1\n", None).len(), 1);
}

#[test]
fn the_example_is_right_and_uses_what_it_says() {
    let mapping = parse(EXAMPLE, Kind::Achievements).unwrap();
    assert!(mapping.names_students());
    let columns = mapping.columns();
    for column in [
        "student_number",
        "surname",
        "given_name",
        "born",
        "course",
        "term",
        "mark",
    ] {
        assert!(columns.iter().any(|name| name == column), "{column}");
    }
}

/// The schema has the fields of the messages, but what a mapping cannot give.
#[test]
fn the_schema_has_every_field_of_the_messages() {
    use prost::Message as _;
    let files = prost_types::FileDescriptorSet::decode(api::FILE_DESCRIPTOR_SET).unwrap();
    let fields = |message: &str| -> Vec<String> {
        let mut messages = files.file.iter().flat_map(|file| &file.message_type);
        let found = messages.find(|found| found.name() == message).unwrap();
        found
            .field
            .iter()
            .map(|field| field.name().to_owned())
            .collect()
    };
    for (message, shape, without) in [
        (
            "Achievement",
            &schema::RECORD,
            &["learner", "signature"][..],
        ),
        ("LearnerReference", &schema::LEARNER, &[]),
        ("LearnerProfile", &schema::PROFILE, &[]),
        (
            "Institution",
            &schema::INSTITUTION,
            &[
                "state",
                "successor_id",
                "delegations",
                "keys",
                "signatures_required",
            ],
        ),
    ] {
        let mut expected = fields(message);
        expected.retain(|field| !without.contains(&field.as_str()));
        expected.sort_unstable();
        let mut found: Vec<&str> = shape.fields.iter().map(|(name, _)| *name).collect();
        found.sort_unstable();
        assert_eq!(found, expected, "{message}");
    }
}

proptest! {
    #[test]
    fn any_text_is_a_mapping_or_a_sentence(text in "\\PC*", more in "[ -~\\n]{0,200}") {
        for text in [text.clone(), with(&more), format!("{EXAMPLE}{text}")] {
            if let Err(failure) = parse(&text, Kind::Achievements) {
                prop_assert!(failure.to_string().starts_with("m.toml: line "));
            }
        }
    }

    #[test]
    fn a_mapping_with_a_slip_is_a_mapping_or_a_sentence(at in 0..EXAMPLE.len(), put in "[ -~\\n]{0,3}", drop in 0..4_usize) {
        let mut text: Vec<u8> = EXAMPLE.into();
        text.splice(at..(at + drop).min(text.len()), put.bytes());
        let text = String::from_utf8(text).unwrap();
        let Ok(mapping) = parse(&text, Kind::Achievements) else { return Ok(()) };
        let columns = mapping.columns();
        // Look-ups are files, of which there are none here.
        let _ = mapping.bind(&columns, "f.csv", Some(Path::new("/nowhere")));
    }
}

#[test]
fn the_committed_mapping_is_right_and_the_documentation_shows_it() {
    let text = include_str!("../../../../ledger-data/mappings/oulad.toml");
    let documentation = include_str!("../../../../docs/import.md");
    let mapping = parse(text, Kind::Achievements).unwrap();
    assert!(mapping.columns().contains(&"final_result".to_owned()));
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        assert!(documentation.contains(line), "{line}");
    }
}
