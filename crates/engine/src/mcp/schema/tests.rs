use super::*;
use serde_json::json;

fn schema() -> InputSchema {
    let schema = json!({
        "type": "object",
        "properties": {
            "speaker_id": {"type": "integer", "description": "The speaker's id.", "minimum": 1},
            "day": {"type": "string", "enum": ["monday", "tuesday"]},
            "filter": {"$ref": "#/$defs/Filter"},
            "either": {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "integer"}}]},
        },
        "required": ["speaker_id"],
        "additionalProperties": false,
        "$defs": {"Filter": {
            "type": "object",
            "properties": {"tags": {"type": "array", "items": {"type": "string", "pattern": "^[a-z]+$"}}},
            "additionalProperties": false,
        }},
    });
    InputSchema::build(&schema, &["speaker_id", "day", "filter", "either"]).unwrap()
}

fn complaints(arguments: Value) -> Vec<String> {
    schema().complaints(&arguments)
}

#[test]
fn says_nothing_of_good_arguments() {
    let good = json!({"speaker_id": 1, "day": "monday", "filter": {"tags": ["a"]}, "either": [1]});
    assert_eq!(complaints(good), [""; 0]);
}

#[test]
fn tells_what_is_missing_and_what_was_meant() {
    assert_eq!(
        complaints(json!({"speakerId": 1})),
        [
            "There is no argument `speakerId`; did you mean `speaker_id`?",
            "`speaker_id` is required and missing: integer, The speaker's id.",
        ]
    );
    assert_eq!(
        complaints(json!({"speaker_id": 1, "colour": 1})),
        ["There is no argument `colour`. The arguments are `speaker_id`, `day`, `filter`, `either`."]
    );
}

#[test]
fn tells_which_argument_what_was_expected_and_what_it_is() {
    assert_eq!(complaints(json!({"speaker_id": "1"})), ["`speaker_id` must be an integer, and is \"1\"."]);
    assert_eq!(
        complaints(json!({"speaker_id": 0})),
        ["`speaker_id` is 0, but it is less than the minimum of 1."]
    );
    assert_eq!(
        complaints(json!({"speaker_id": 1, "day": "Monday"})),
        ["`day` must be one of \"monday\", \"tuesday\", and is \"Monday\"; did you mean \"monday\"?"]
    );
}

#[test]
fn tells_the_place_within_an_argument() {
    assert_eq!(
        complaints(json!({"speaker_id": 1, "filter": {"tags": ["a", "B"], "x": 1}})),
        ["`filter.tags[1]` is \"B\", but it does not match \"^[a-z]+$\".", "`filter` must not have x.",]
    );
    assert_eq!(
        complaints(json!({"speaker_id": 1, "either": 5})),
        ["`either` fits none of the forms that it may have. `either` must be a string, and is 5. \
         Or: `either` must be a list, and is 5."]
    );
}

#[test]
fn an_open_schema_still_has_no_place_for_an_unknown_argument() {
    let schema = InputSchema::build(&json!({"type": "object"}), &[]).unwrap();
    assert_eq!(schema.complaints(&json!({"a": 1})), ["There is no argument `a`: this tool takes none."]);
}

#[test]
fn refuses_schemas_that_reach_out_or_need_backtracking() {
    let build = |property: Value| {
        let schema = json!({"type": "object", "properties": {"a": property}});
        InputSchema::build(&schema, &["a"]).err()
    };
    assert!(build(json!({"$ref": "https://example.com/schema.json"})).is_some());
    assert!(build(json!({"type": "string", "pattern": "(?=a)b"})).is_some());
    assert!(build(json!({"type": 5})).is_some());
    assert!(InputSchema::build(&json!({"type": "string"}), &[]).is_err());
}

#[test]
fn a_schema_that_refers_to_itself_ends() {
    let schema = json!({
        "type": "object",
        "properties": {"a": {"$ref": "#/$defs/Loop"}, "b": {"$ref": "#/$defs/Node"}},
        "$defs": {
            "Loop": {"$ref": "#/$defs/Loop"},
            "Node": {"type": "object", "properties": {"next": {"$ref": "#/$defs/Node"}}},
        },
    });
    let schema = InputSchema::build(&schema, &["a", "b"]).unwrap();
    let mut node = json!({});
    for _ in 0..100 {
        node = json!({"next": node});
    }
    assert_eq!(schema.complaints(&json!({"a": 1, "b": node})), [""; 0]);
}

/// A filter of ands and ors, as many APIs have it, under a keyword of several forms.
fn filter(forms: &str) -> InputSchema {
    let node = json!({"$ref": "#/$defs/Node"});
    let of = |name: &str| json!({"type": "object", "properties": {name: {"type": "array", "items": node}}});
    let schema = json!({
        "type": "object",
        "properties": {"filter": node},
        "$defs": {"Node": {forms: [of("and"), of("and"), {"type": "integer"}]}},
    });
    InputSchema::build(&schema, &["filter"]).unwrap()
}

fn nested(depth: usize) -> Value {
    let filter = (0..depth).fold(json!("leaf"), |inner, _| json!({"and": [inner]}));
    json!({"filter": filter})
}

#[test]
fn a_schema_that_refers_to_itself_from_several_forms_costs_bounded_steps_and_words() {
    for forms in ["anyOf", "oneOf", "allOf"] {
        let schema = filter(forms);
        for depth in [1, 4, 18, 60] {
            let (checking, explaining) = (Meter::new(10_000), Meter::new(10_000));
            let complaints = schema.complaints_within(&nested(depth), &checking, &explaining);
            assert!(checking.made() < 20_000, "{forms} {depth}: {}", checking.made());
            assert!(explaining.made() < 20_000, "{forms} {depth}: {}", explaining.made());
            assert!((1..=MOST).contains(&complaints.len()), "{forms} {depth}");
            assert!(complaints.iter().all(|complaint| complaint.len() <= LONGEST + 3), "{forms} {depth}");
        }
    }
}

#[test]
fn what_is_too_deep_to_explain_or_to_check_is_refused_in_words() {
    let schema = filter("anyOf");
    let good = json!({"filter": {"and": [{"and": [5]}]}});
    assert_eq!(schema.complaints(&good), [""; 0]);
    let (enough, too_few) = (Meter::new(1000), Meter::new(3));
    assert_eq!(schema.complaints_within(&nested(3), &enough, &too_few), [TOO_DEEP]);
    assert_eq!(schema.complaints_within(&good, &Meter::new(3), &enough), [TOO_LARGE]);
}

#[test]
fn unknown_arguments_are_told_up_to_a_number() {
    let many: Map<_, _> = (0..20_000).map(|index| (format!("unknown{index}"), json!(1))).collect();
    assert_eq!(complaints(Value::Object(many)).len(), MOST);
    let nine: Map<_, _> = (0..MOST - 1).map(|index| (format!("unknown{index}"), json!(1))).collect();
    let complaints = complaints(Value::Object(nine));
    assert_eq!(complaints.len(), MOST);
    assert!(complaints[MOST - 1].starts_with("`speaker_id` is required"));
}

#[test]
fn complaints_are_short_and_few() {
    let tags: Vec<_> = (0..50).map(|_| "X".repeat(10_000)).collect();
    let complaints = complaints(json!({"speaker_id": 1, "filter": {"tags": tags}}));
    assert_eq!(complaints.len(), MOST);
    assert!(complaints.iter().all(|complaint| complaint.len() < 600));
}
