//! Protocol v0, as its Python clients write and read it.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use tritondeploy_wire::Datatype;
use tritondeploy_wire::v0::{self, Answer, Invalid, Object, Output, Request, Tensor, Values, View};

fn tensors(text: &str) -> Result<Vec<Tensor>, Invalid> {
    match Request::parse(text)? {
        Request::Tensors { inputs, .. } => Ok(inputs),
        other => panic!("{other:?}"),
    }
}

fn data(datatype: &str, shape: &str, data: &str) -> Result<Vec<u8>, String> {
    let input = format!(r#"{{"name":"x","shape":{shape},"datatype":"{datatype}","data":{data}}}"#);
    let text = format!(r#"{{"model_name":"m","inputs":[{input}]}}"#);
    Ok(tensors(&text).map_err(|e| e.to_string())?.remove(0).data)
}

fn f32s(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect()
}

#[test]
fn the_three_forms_are_told_apart() {
    let object = Object { bucket: "b".into(), key: "images/ü \u{1f408}.jpg".into() };
    let text = r#" {"key":"images/\u00fc \ud83d\udc08.jpg","ignored":[{"a":null,"b":[1e-3,"\\"]}],"bucket":"b"} "#;
    assert_eq!(Request::parse(text), Ok(Request::Pipelines(object.clone())));
    let text = r#"{"model_name":"m","bucket":"b","key":"images/ü 🐈.jpg"}"#;
    assert_eq!(Request::parse(text), Ok(Request::Image { model: "m".into(), object }));
    assert_eq!(data("FP32", "[2]", "[1,2]").map(|d| f32s(&d)), Ok(vec![1.0, 2.0]));
}

#[test]
fn the_last_of_duplicate_keys_wins() {
    let Ok(Request::Pipelines(object)) = Request::parse(r#"{"bucket":7,"key":"a","bucket":"b","key":"c"}"#) else {
        panic!("no pipelines request");
    };
    assert_eq!(object, Object { bucket: "b".into(), key: "c".into() });
    let text = r#"{"model_name":"m","inputs":[{"name":"x","data":["no"],"shape":[9],"datatype":"INT8","shape":[1],"data":[3]}]}"#;
    assert_eq!(tensors(text).unwrap()[0].data, [3]);
}

#[test]
fn data_comes_nested_or_flat_and_nothing_else() {
    for text in ["[[1,2,3],[4,5,6]]", "[1,2,3,4,5,6]", " [ [1 ,2,3] ,\n[4,5,6] ] "] {
        assert_eq!(data("UINT8", "[2,3]", text), Ok(vec![1, 2, 3, 4, 5, 6]), "{text}");
    }
    for text in
        ["[[1,2],[3,4],[5,6]]", "[1,2,3]", "[[1,2,3],[4,5]]", "[[1,2,3],4,5,6]", "[1,2,3,[4,5,6]]", "[[[1,2,3],[4,5,6]]]", "7"]
    {
        assert!(data("UINT8", "[2,3]", text).is_err(), "{text}");
    }
    assert_eq!(data("FP32", "[0,3]", "[]"), Ok(vec![]));
    for shape in ["[2,0]", "[2,0,0]", "[2,0,3]"] {
        assert_eq!(data("FP32", shape, "[[],[]]"), Ok(vec![]), "{shape}");
        assert_eq!(data("FP32", shape, "[]"), Ok(vec![]), "{shape}");
    }
    for text in ["[[]]", "[[],[],[]]", "[[[]],[[]]]"] {
        assert!(data("FP32", "[2,0,3]", text).is_err(), "{text}");
    }
    assert_eq!(data("INT16", "[]", "-2"), Ok(vec![0xfe, 0xff]));
    assert!(data("FP32", "[-1]", "[1]").is_err());
    assert!(data("FP32", "[9223372036854775807,9223372036854775807]", "[1]").is_err());
}

#[test]
fn python_s_literals_are_numbers() {
    let values = f32s(&data("FP32", "[4]", "[NaN,Infinity,-Infinity,1e400]").unwrap());
    assert!(values[0].is_nan());
    assert_eq!(values[1..], [f32::INFINITY, f32::NEG_INFINITY, f32::INFINITY]);
    assert!(data("FP32", "[1]", "[-NaN]").is_err());
    assert!(data("INT32", "[1]", "[NaN]").is_err());
}

#[test]
fn floats_are_rounded_as_numpy_does_by_way_of_double() {
    // 1 + 2^-24 + 2^-60: to double it is 1 + 2^-24, a tie that goes to 1; straight to f32 it would go up.
    let text = "[1.000000059604644775390625867361737988403547205962240695953369140625]";
    assert_eq!(data("FP32", "[1]", text).map(|d| f32s(&d)), Ok(vec![1.0]));
}

#[test]
fn elements_must_be_of_their_type() {
    assert_eq!(data("UINT64", "[1]", "[18446744073709551615]"), Ok(vec![255; 8]));
    assert_eq!(data("INT32", "[2]", "[3.0,1e2]"), Ok(vec![3, 0, 0, 0, 100, 0, 0, 0]));
    assert_eq!(data("BOOL", "[4]", "[true,false,1,0]"), Ok(vec![1, 0, 1, 0]));
    assert_eq!(data("BYTES", "[2]", r#"["ab",""]"#), Ok(vec![2, 0, 0, 0, b'a', b'b', 0, 0, 0, 0]));
    assert_eq!(data("FP16", "[1]", "[1.5]"), Ok(vec![0x00, 0x3e]));
    for (datatype, text) in [
        ("UINT8", "[256]"),
        ("UINT8", "[-1]"),
        ("INT8", "[1.5]"),
        ("FP32", "[true]"),
        ("FP32", "[\"1\"]"),
        ("FP32", "[null]"),
        ("BOOL", "[2]"),
        ("BYTES", "[1]"),
        ("FP8", "[1]"),
    ] {
        assert!(data(datatype, "[1]", text).is_err(), "{datatype} {text}");
    }
}

#[test]
fn what_is_not_json_is_refused_with_its_place() {
    for text in [
        "",
        "{",
        "[1,]",
        "{\"a\":01}",
        "{\"a\":1.}",
        "{\"a\":.5}",
        "{\"a\":1e}",
        "{\"a\" 1}",
        "{\"a\":1,}",
        "{a:1}",
        "{\"a\":\"\u{1}\"}",
        "{\"a\":\"\\x\"}",
        "{\"a\":\"\\u12\"}",
        "{} x",
        "{\"a\":tru}",
        "{\"a\":+1}",
        "{\"a\":[1}}",
    ] {
        assert!(matches!(Request::parse(text), Err(Invalid::Json { .. })), "{text}");
    }
    let deep = format!("{{\"a\":{}}}", "[".repeat(100_000));
    assert!(matches!(Request::parse(&deep), Err(Invalid::Json { .. })));
    let deep = format!("[{}]", "[".repeat(400));
    assert!(data("FP32", "[1]", &deep).is_err());
}

#[test]
fn what_is_json_but_no_request_is_told_what_is_missing() {
    for (text, wanted) in [
        ("[]", "a request is a JSON object"),
        ("{\"bucket\":\"b\"}", "bucket and key"),
        ("{\"bucket\":1,\"key\":\"k\"}", "bucket must be a string"),
        ("{\"inputs\":[]}", "inputs came without model_name"),
        ("{\"model_name\":\"m\",\"inputs\":[]}", "inputs is empty"),
        ("{\"model_name\":\"m\",\"inputs\":[{\"name\":\"x\"}]}", "inputs[0]: datatype is missing"),
    ] {
        let error = Request::parse(text).unwrap_err().to_string();
        assert!(error.contains(wanted), "{text}: {error}");
    }
}

#[test]
fn a_request_is_read_as_it_was_written() {
    let object = Object { bucket: "b".into(), key: "a \"quoted\" key\n".into() };
    let inputs = vec![
        Tensor { name: "x".into(), datatype: Datatype::Fp32, shape: vec![2, 1], data: vec![0, 0, 128, 63, 0, 0, 192, 127] },
        Tensor { name: "s".into(), datatype: Datatype::Bytes, shape: vec![1], data: vec![1, 0, 0, 0, b'"'] },
        Tensor { name: "e".into(), datatype: Datatype::Int64, shape: vec![0, 3], data: vec![] },
        Tensor { name: "f".into(), datatype: Datatype::Int64, shape: vec![2, 0, 3], data: vec![] },
    ];
    for request in [
        Request::Pipelines(object.clone()),
        Request::Image { model: "m".into(), object },
        Request::Tensors { model: "m".into(), inputs },
    ] {
        assert_eq!(Request::parse(&request.to_json().unwrap()), Ok(request));
    }
}

#[test]
fn answers_are_nested_in_the_output_s_shape() {
    let floats: Vec<u8> = [0.1f32, -0.0, f32::NAN, f32::INFINITY].iter().flat_map(|f| f.to_le_bytes()).collect();
    let view = View { name: "fc6_1", datatype: Datatype::Fp32, shape: &[1, 2, 2, 1], data: &floats };
    let text = v0::flat([view]).unwrap();
    assert_eq!(text, r#"{"status":"success","outputs":{"fc6_1":[[[[0.10000000149011612],[-0.0]],[[NaN],[Infinity]]]]}}"#);
    let Ok(Answer::Model(outputs)) = Answer::parse(&text) else { panic!("no model answer") };
    assert_eq!(outputs[0].shape, [1, 2, 2, 1]);
    let Values::Numbers(numbers) = &outputs[0].values else { panic!("no numbers") };
    assert_eq!(numbers[..2], [f64::from(0.1f32), -0.0]);
    assert!(numbers[2].is_nan());
}

#[test]
fn answers_for_pipelines_keep_their_order() {
    let one = View { name: "z", datatype: Datatype::Int16, shape: &[1], data: &[0xff, 0xff] };
    let two = View { name: "a", datatype: Datatype::Bool, shape: &[2], data: &[1, 0] };
    let three = View { name: "s", datatype: Datatype::Bytes, shape: &[1], data: &[2, 0, 0, 0, b'h', b'i'] };
    let text = v0::aliased([("resnet", vec![one, two]), ("densenet", vec![three])]).unwrap();
    assert_eq!(text, r#"{"status":"success","outputs":{"resnet":{"z":[-1],"a":[true,false]},"densenet":{"s":["hi"]}}}"#);
    let output = |name: &str, shape: &[usize], values| Output { name: name.into(), shape: shape.into(), values };
    let resnet = vec![output("z", &[1], Values::Numbers(vec![-1.0])), output("a", &[2], Values::Booleans(vec![true, false]))];
    let densenet = vec![output("s", &[1], Values::Strings(vec!["hi".into()]))];
    assert_eq!(Answer::parse(&text), Ok(Answer::Pipelines(vec![("resnet".into(), resnet), ("densenet".into(), densenet)])));
}

#[test]
fn an_output_that_does_not_fit_its_shape_is_an_error() {
    for (datatype, data) in [(Datatype::Fp32, &[0u8; 7][..]), (Datatype::Bytes, &[9, 0, 0, 0, 1]), (Datatype::Bytes, &[0; 8])] {
        assert!(v0::flat([View { name: "y", datatype, shape: &[1], data }]).is_err());
    }
}

#[test]
fn a_tensor_without_elements_is_not_written_as_billions_of_lists() {
    let empty = |shape: &[i64]| v0::flat([View { name: "y", datatype: Datatype::Fp32, shape, data: &[] }]);
    assert_eq!(empty(&[2, 0]).unwrap(), r#"{"status":"success","outputs":{"y":[[],[]]}}"#);
    assert!(empty(&[0, i64::MAX]).is_ok());
    assert!(empty(&[i64::MAX, 0]).is_err());
    assert!(empty(&[100_000, 100_000, 0]).is_err());
}

#[test]
fn more_dimensions_than_any_tensor_has_are_refused() {
    let shape = |count: usize| format!("[{}]", vec!["1"; count].join(","));
    assert_eq!(data("UINT8", &shape(32), "[7]"), Ok(vec![7]));
    assert!(data("UINT8", &shape(33), "[7]").is_err());
    assert!(v0::flat([View { name: "y", datatype: Datatype::Uint8, shape: &[1; 33], data: &[7] }]).is_err());
}

#[test]
fn errors_are_answers_too() {
    let text = v0::error("no \"such\" thing\n");
    assert_eq!(text, r#"{"status":"error","message":"no \"such\" thing\n"}"#);
    assert_eq!(Answer::parse(&text), Ok(Answer::Error("no \"such\" thing\n".into())));
    assert!(Answer::parse("{\"status\":\"maybe\"}").is_err());
}
