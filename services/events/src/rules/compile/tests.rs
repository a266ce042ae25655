//! Patterns, what they take, and what is wrong with them.

use proptest::prelude::*;

use super::*;
use crate::rules::json::Json;

fn matches(pattern: &str, event: &str) -> bool {
    let pattern = Pattern::parse(pattern).expect("a pattern");
    pattern.matches(&Json::parse(event).expect("an event"))
}

/// Events that a pattern takes, and events that it does not.
fn check(pattern: &str, taken: &[&str], refused: &[&str]) {
    for event in taken {
        assert!(matches(pattern, event), "{pattern} must take {event}");
    }
    for event in refused {
        assert!(!matches(pattern, event), "{pattern} must not take {event}");
    }
}

#[test]
fn values() {
    check(
        r#"{"a":["x",1,null,true]}"#,
        &[r#"{"a":"x"}"#, r#"{"a":1.0}"#, r#"{"a":null}"#, r#"{"a":true}"#, r#"{"a":["y","x"]}"#],
        &[r#"{"a":"X"}"#, r#"{"a":"1"}"#, r#"{"a":false}"#, r#"{"a":"null"}"#, "{}", r#"{"a":[]}"#],
    );
    check(r#"{"a":[300]}"#, &[r#"{"a":3.0e2}"#, r#"{"a":300.0000001}"#], &[r#"{"a":300.00001}"#]);
    // What is too large to be compared is compared as it is written.
    check(r#"{"a":[1e20]}"#, &[r#"{"a":1e20}"#], &[r#"{"a":1E20}"#]);
    check(r#"{"a":["10.0.0.1"]}"#, &[r#"{"a":"10.0.0.1"}"#], &[r#"{"a":"10.0.0.2"}"#]);
    check(r#"{"a":["2001:db8::1"]}"#, &[r#"{"a":"2001:DB8:0:0::1"}"#], &[r#"{"a":"2001:db8::2"}"#]);
    check(r#"{"a":[{"exactly":"x"}]}"#, &[r#"{"a":"x"}"#], &[r#"{"a":"xx"}"#]);
    check(r#"{"a":[""]}"#, &[r#"{"a":""}"#], &[r#"{"a":" "}"#, r#"{"a":null}"#]);
}

#[test]
fn texts() {
    check(
        r#"{"a":[{"prefix":"ab"}]}"#,
        &[r#"{"a":"ab"}"#, r#"{"a":"abc"}"#],
        &[r#"{"a":"Abc"}"#, r#"{"a":1}"#],
    );
    check(r#"{"a":[{"suffix":".png"}]}"#, &[r#"{"a":"x.png"}"#], &[r#"{"a":"x.png."}"#]);
    check(
        r#"{"a":[{"prefix":{"equals-ignore-case":"aB"}}]}"#,
        &[r#"{"a":"ABc"}"#],
        &[r#"{"a":"xab"}"#],
    );
    check(
        r#"{"a":[{"suffix":{"equals-ignore-case":".PNG"}}]}"#,
        &[r#"{"a":"x.pnG"}"#],
        &[r#"{"a":"x.jpg"}"#],
    );
    check(r#"{"a":[{"equals-ignore-case":"ÄbC"}]}"#, &[r#"{"a":"äBc"}"#], &[r#"{"a":"abc"}"#]);
    check(
        r#"{"a":[{"wildcard":"in/*/x\\*y*z"}]}"#,
        &[r#"{"a":"in//x*yz"}"#, r#"{"a":"in/b/x*y/x*yzz"}"#],
        &[r#"{"a":"in/xyz"}"#, r#"{"a":"in/b/x*y"}"#, r#"{"a":"in/x*yz"}"#],
    );
    check(r#"{"a":[{"wildcard":"*"}]}"#, &[r#"{"a":""}"#, r#"{"a":"é"}"#], &[r#"{"a":1}"#]);
    // The pieces may not share a letter.
    check(r#"{"a":[{"wildcard":"ab*ba"}]}"#, &[r#"{"a":"abba"}"#], &[r#"{"a":"aba"}"#]);
}

#[test]
fn numbers() {
    check(
        r#"{"a":[{"numeric":[">",0,"<=",5]}]}"#,
        &[r#"{"a":5}"#, r#"{"a":0.1}"#, r#"{"a":5.0e0}"#],
        &[r#"{"a":0}"#, r#"{"a":5.1}"#, r#"{"a":"3"}"#, r#"{"a":1e30}"#],
    );
    check(r#"{"a":[{"numeric":["=",3.018e2]}]}"#, &[r#"{"a":301.8}"#], &[r#"{"a":301}"#]);
    check(r#"{"a":[{"numeric":["<",-1]}]}"#, &[r#"{"a":-2}"#], &[r#"{"a":-1}"#]);
    check(r#"{"a":[{"numeric":[">=",-1]}]}"#, &[r#"{"a":-1}"#], &[r#"{"a":-1.5}"#]);
}

#[test]
fn addresses() {
    check(
        r#"{"a":[{"cidr":"10.0.0.0/24"}]}"#,
        &[r#"{"a":"10.0.0.255"}"#],
        &[r#"{"a":"10.0.1.0"}"#, r#"{"a":"x"}"#, r#"{"a":"::1"}"#],
    );
    check(r#"{"a":[{"cidr":"0.0.0.0/0"}]}"#, &[r#"{"a":"255.1.2.3"}"#], &[r#"{"a":"::1"}"#]);
    check(
        r#"{"a":[{"cidr":"2001:db8::/32"}]}"#,
        &[r#"{"a":"2001:db8:1::2"}"#],
        &[r#"{"a":"2001:db9::"}"#],
    );
}

#[test]
fn anything_but() {
    check(
        r#"{"a":[{"anything-but":["x","y"]}]}"#,
        &[r#"{"a":"z"}"#, r#"{"a":1}"#, r#"{"a":["x","z"]}"#],
        &[r#"{"a":"x"}"#, "{}", r#"{"a":["x","y"]}"#],
    );
    check(r#"{"a":[{"anything-but":100}]}"#, &[r#"{"a":"100"}"#, r#"{"a":1}"#], &[r#"{"a":1e2}"#]);
    check(r#"{"a":[{"anything-but":{"prefix":"in"}}]}"#, &[r#"{"a":"out"}"#], &[r#"{"a":"in1"}"#]);
    check(
        r#"{"a":[{"anything-but":{"suffix":[".a",".b"]}}]}"#,
        &[r#"{"a":"x.c"}"#],
        &[r#"{"a":"x.b"}"#],
    );
    check(
        r#"{"a":[{"anything-but":{"equals-ignore-case":["Ab","c"]}}]}"#,
        &[r#"{"a":"b"}"#],
        &[r#"{"a":"aB"}"#, r#"{"a":"C"}"#],
    );
    check(
        r#"{"a":[{"anything-but":{"wildcard":"*/lib/*"}}]}"#,
        &[r#"{"a":"x/bin/y"}"#],
        &[r#"{"a":"x/lib/y"}"#],
    );
}

#[test]
fn presence() {
    check(
        r#"{"a":{"b":[{"exists":true}]}}"#,
        &[r#"{"a":{"b":null}}"#, r#"{"a":{"b":[1]}}"#],
        &["{}", r#"{"a":1}"#, r#"{"a":{"b":{"c":1}}}"#, r#"{"a":{"b":[]}}"#],
    );
    check(
        r#"{"a":{"b":[{"exists":false}]}}"#,
        &["{}", r#"{"a":{}}"#, r#"{"a":{"b":[]}}"#, r#"{"a":{"b":{"c":1}}}"#],
        &[r#"{"a":{"b":1}}"#, r#"{"a":[{"b":1},{"c":2}]}"#],
    );
    check(r#"{"a":[{"exists":false},"x"]}"#, &["{}", r#"{"a":"x"}"#], &[r#"{"a":"y"}"#]);
}

#[test]
fn lists_of_objects_are_met_by_one_element() {
    check(
        r#"{"a":{"x":[1],"y":{"z":[2]}}}"#,
        &[r#"{"a":[{"x":1,"y":[{"z":3},{"z":2}]}]}"#, r#"{"a":[{"x":3},[{"x":1,"y":{"z":2}}]]}"#],
        &[r#"{"a":[{"x":1,"y":{"z":3}},{"x":3,"y":{"z":2}}]}"#],
    );
}

#[test]
fn alternatives() {
    let pattern =
        r#"{"s":["m"],"$or":[{"a":[1]},{"b":[2],"c":[3]},{"d":{"$or":[{"e":[4]},{"f":[5]}]}}]}"#;
    check(
        pattern,
        &[r#"{"s":"m","a":1}"#, r#"{"s":"m","b":2,"c":3}"#, r#"{"s":"m","d":{"f":5}}"#],
        &[r#"{"a":1}"#, r#"{"s":"m","b":2}"#, r#"{"s":"m"}"#, r#"{"s":"m","d":{}}"#],
    );
    check(
        r#"{"d":{"k":[1],"$or":[{"a":[1]},{"b":[1]}]}}"#,
        &[r#"{"d":[{"k":0},{"k":1,"b":1}]}"#],
        &[r#"{"d":[{"k":1},{"a":1}]}"#],
    );
}

#[test]
fn the_last_of_equal_names_counts() {
    check(r#"{"a":[1],"a":[2]}"#, &[r#"{"a":2}"#], &[r#"{"a":1}"#]);
}

fn complaint(pattern: &str) -> String {
    Pattern::parse(pattern).expect_err("a complaint")
}

#[test]
fn complaints_name_the_place() {
    // Seen on AWS.
    assert_eq!(
        complaint(r#"{"source":["test.event-pattern"],"detail":{"lenderId":"LenderA"}}"#),
        "\"lenderId\" must be an object or an array\n at [Source: (String)\"{\"source\":[\"test.event-pattern\
         \"],\"detail\":{\"lenderId\":\"LenderA\"}}\"; line: 1, column: 56]"
    );
    assert_eq!(
        complaint("[]"),
        "Filter is not an object\n at [Source: (String)\"[]\"; line: 1, column: 2]"
    );
    assert_eq!(
        complaint("{\n \"a\": 1}"),
        "\"a\" must be an object or an array\n at [Source: (String)\"{\n \"a\": 1}\"; line: 2, column: 8]"
    );
    let long = format!("{{\"a\":[\"{}\"],\"b\":1}}", "é".repeat(600));
    assert!(
        complaint(&long).ends_with("\"[truncated 116 chars]; line: 1, column: 616]"),
        "{}",
        complaint(&long)
    );
    assert_eq!(complaint(r#"{"a":[{"cidr":"10.0.0.0"}]}"#), "Malformed CIDR, one '/' required");
}

#[test]
fn complaints() {
    for (pattern, expected) in [
        ("{}", "Empty objects are not allowed"),
        (r#"{"a":{}}"#, "Empty objects are not allowed"),
        (r#"{"a":[]}"#, "Empty arrays are not allowed"),
        (r#"{"a":[[1]]}"#, "Match value must be String, number, true, false, or null"),
        (r#"{"a":[{}]}"#, "Match expression name not found"),
        (r#"{"a":[{"like":"x"}]}"#, "Unrecognized match type like"),
        (r#"{"a":[{"prefix":1}]}"#, "prefix match pattern must be a string"),
        (r#"{"a":[{"prefix":"a","suffix":"b"}]}"#, ONE_KEY),
        (r#"{"a":[{"prefix":{"suffix":"b"}}]}"#, "Unsupported prefix pattern: suffix"),
        (r#"{"a":[{"suffix":{}}]}"#, "Suffix expression name not found"),
        (r#"{"a":[{"exists":1}]}"#, "exists match pattern must be either true or false."),
        (r#"{"a":[{"cidr":1}]}"#, "prefix match pattern must be a string"),
        (r#"{"a":[{"cidr":"10.0.0.0/32"}]}"#, "IPv4 mask bits must be < 32"),
        (r#"{"a":[{"cidr":"::/128"}]}"#, "IPv6 mask bits must be < 128"),
        (r#"{"a":[{"cidr":"::/x"}]}"#, "Malformed CIDR, mask bits must be an integer"),
        (r#"{"a":[{"cidr":"::/-1"}]}"#, "Malformed CIDR, mask bits must not be negative"),
        (r#"{"a":[{"numeric":1}]}"#, "Value of numeric must be an array."),
        (r#"{"a":[{"numeric":[1]}]}"#, "Invalid member in numeric match: 1"),
        (r#"{"a":[{"numeric":["~",1]}]}"#, "Unrecognized numeric range operator: ~"),
        (r#"{"a":[{"numeric":[">","1"]}]}"#, "Value of > must be numeric"),
        (r#"{"a":[{"numeric":["=","1"]}]}"#, "Value of equals must be numeric"),
        (r#"{"a":[{"numeric":["=",1,2]}]}"#, TOO_MANY),
        (r#"{"a":[{"numeric":[">",1,"=",2]}]}"#, "Bad numeric range operator: ="),
        (r#"{"a":[{"numeric":[">",1,2]}]}"#, "Bad value in numeric range: 2"),
        (r#"{"a":[{"numeric":[">",1,"<",2,3]}]}"#, "Too many terms in numeric range expression"),
        (r#"{"a":[{"numeric":[">",2,"<",1]}]}"#, "Bottom must be less than top"),
        (r#"{"a":[{"numeric":["<",5e10]}]}"#, "Value must be between -5.0E9 and 5.0E9, inclusive"),
        (r#"{"a":[{"wildcard":"a**"}]}"#, "Consecutive wildcard characters at pos 2"),
        (r#"{"a":[{"wildcard":"a\\b"}]}"#, "Invalid escape character at pos 2"),
        (
            r#"{"a":[{"anything-but":[]}]}"#,
            "Inside anything but list, either all values are number",
        ),
        (
            r#"{"a":[{"anything-but":["a",1]}]}"#,
            "Inside anything but list, either all values are number",
        ),
        (r#"{"a":[{"anything-but":[null]}]}"#, "Inside anything but list, start|null|boolean"),
        (r#"{"a":[{"anything-but":null}]}"#, "Value of anything-but must be an array or single"),
        (r#"{"a":[{"anything-but":{"prefix":""}}]}"#, "Null prefix/suffix not allowed"),
        (r#"{"a":[{"anything-but":{"numeric":[]}}]}"#, "Unsupported anything-but pattern: numeric"),
        (r#"{"$or":[{"a":[1]}]}"#, "There must have at least 2 Objects in $or relationship."),
        (r#"{"$or":{"a":[1]}}"#, "It must be an Array followed with $or."),
        (r#"{"$or":[1,2]}"#, "Only JSON object is allowed in array of $or relationship."),
        (
            r#"{"$or":[{"prefix":[1]},{"a":[1]}]}"#,
            "prefix is Ruler reserved fieldName which cannot",
        ),
        ("nonsense", "Unrecognized token 'nonsense': was expecting (JSON String, Number, Array"),
        (r#"{"a":["#, "Unexpected end-of-input"),
        (r#"{"a" 1}"#, "Unexpected character ('1' (code 49))"),
    ] {
        let complaint = complaint(pattern);
        assert!(complaint.starts_with(expected), "{pattern}: {complaint}");
    }
}

#[test]
fn deep_patterns_are_refused_without_harm() {
    let deep = |levels: usize| "{\"a\":".repeat(levels) + "[1]" + &"}".repeat(levels);
    assert!(Pattern::parse(&deep(1000)).is_ok());
    assert!(Pattern::parse(&deep(100_000)).is_err());
}

/// A plain way to tell whether a text fits, for comparison.
fn fits(pieces: &[char], text: &[char]) -> bool {
    match (pieces, text) {
        ([], []) => true,
        (['*', rest @ ..], _) => (0..=text.len()).any(|from| fits(rest, &text[from..])),
        ([piece, pieces @ ..], [letter, text @ ..]) => piece == letter && fits(pieces, text),
        _ => false,
    }
}

proptest! {
    #[test]
    fn no_text_harms(text in r#"[\[\]{}:,"a*0.e -]{0,40}"#, event in r#"[\[\]{}:,"a0 ]{0,30}"#) {
        if let (Ok(pattern), Some(event)) = (Pattern::parse(&text), Json::parse(&event)) {
            pattern.matches(&event);
        }
    }

    #[test]
    fn wildcards_do_what_the_plain_way_does(wildcard in "(\\*?[ab]){0,5}\\*?", text in "[ab]{0,10}") {
        let pattern = format!(r#"{{"a":[{{"wildcard":"{wildcard}"}}]}}"#);
        let letters = |text: &str| text.chars().collect::<Vec<_>>();
        let expected = fits(&letters(&wildcard), &letters(&text));
        prop_assert_eq!(matches(&pattern, &format!(r#"{{"a":"{text}"}}"#)), expected);
    }

    #[test]
    fn anything_but_is_the_opposite(text in "[a-c]{0,3}", refused in "[a-c]{1,2}") {
        for kind in ["prefix", "suffix", "equals-ignore-case", "wildcard"] {
            let event = format!(r#"{{"a":"{text}"}}"#);
            let plain = format!(r#"{{"a":[{{"{kind}":"{refused}"}}]}}"#);
            let opposite = format!(r#"{{"a":[{{"anything-but":{{"{kind}":"{refused}"}}}}]}}"#);
            prop_assert_ne!(matches(&plain, &event), matches(&opposite, &event));
        }
    }

    #[test]
    fn ranges_agree_with_numbers(bottom in -1000i64..1000, size in 1i64..50, value in -1100i64..1100) {
        let top = bottom + size;
        let pattern = format!(r#"{{"a":[{{"numeric":[">=",{bottom},"<",{top}]}}]}}"#);
        let event = format!(r#"{{"a":{value}}}"#);
        prop_assert_eq!(matches(&pattern, &event), (bottom..top).contains(&value));
    }
}
