//! Judge an implementation of cross-attention in Rust: one file, the standard library, nothing else (Rust 1.63).
//!
//! ```text
//! mod xattn;
//! fn main() -> std::io::Result<()> {
//!     xattn::serve(HELLO, |case| Ok(vec![("out", xattn::Stored::F32(mine(case)))]))
//! }
//! ```
//!
//! HELLO is the first line of the protocol, such as
//! `{"xattn":1,"name":"mine","supports":["forward","gqa","f32"],"profile":"f32"}`. Run it with
//! `npx xattn gate --candidate target/release/candidate`. main.rs is a whole example; spec/case.md of the package says
//! what a case is. Log to standard error: standard output is the protocol's.
#![allow(dead_code)]

use std::collections::HashMap;
use std::convert::TryInto;
use std::fs;
use std::io::{self, BufRead, Write};
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};

/// Why a case has no outputs.
pub enum Refusal {
    /// It is not implemented, though the first line claims its words.
    Unsupported(String),
    /// Something is wrong with it, or with the program.
    Error(String),
}

impl From<String> for Refusal {
    fn from(reason: String) -> Self {
        Refusal::Error(reason)
    }
}

/// An output in the format that it is stored in, row-major. Store what was computed in halves as halves.
pub enum Stored {
    F64(Vec<f64>),
    F32(Vec<f32>),
    /// Each element rounded to the nearest, ties to even.
    F16(Vec<f32>),
    BF16(Vec<f32>),
}

pub type Outputs = Vec<(&'static str, Stored)>;

/// A tensor, row-major, its numbers exactly as f64.
pub struct Tensor {
    pub shape: Vec<usize>,
    pub data: Vec<f64>,
}

impl Tensor {
    /// At (b, h, i, j) of what broadcasts to four axes.
    pub fn broadcast(&self, at: [usize; 4]) -> f64 {
        let skip = 4 - self.shape.len();
        let index = |axis: usize| if self.shape[axis] == 1 { 0 } else { at[axis + skip] };
        self.data[(0..self.shape.len()).fold(0, |flat, axis| flat * self.shape[axis] + index(axis))]
    }

    /// As f32, each element rounded.
    pub fn f32s(&self) -> Vec<f32> {
        self.data.iter().map(|&x| x as f32).collect()
    }
}

/// One case: the fields of case.json, and its inputs by name.
pub struct Case {
    /// "attention", or a step that is asked by itself: "merge".
    pub op: String,
    pub dtype: String,
    pub batch: usize,
    pub heads: usize,
    pub kv_heads: usize,
    pub seq_q: usize,
    pub seq_kv: usize,
    pub head_dim: usize,
    pub head_dim_v: usize,
    /// 0 without features.
    pub dim_y: usize,
    pub scale: f64,
    /// 0 = none.
    pub softcap: f64,
    /// "none", "top-left" or "bottom-right".
    pub causal: String,
    /// [left, right], -1 = unbounded.
    pub window: Option<[i64; 2]>,
    /// "immediate" or "previous".
    pub media: Option<String>,
    pub dropout_rate: f64,
    pub wants: Vec<String>,
    pub inputs: HashMap<String, Tensor>,
}

impl Case {
    pub fn read(folder: &Path) -> Result<Case, String> {
        let text = fs::read_to_string(folder.join("case.json")).map_err(|e| format!("case.json: {}", e))?;
        let json = Json::parse(&text)?;
        // Of a step that is asked by itself, fields that mean nothing are not there.
        let size = |name: &str| json.get(name).and_then(Json::number).map_or(0, |x| x as usize);
        let word = |name: &str| json.get(name).and_then(Json::text).map(str::to_string);
        let side = |list: &Json, n: usize| list.items().get(n).and_then(Json::number).map_or(-1, |x| x as i64);
        let window = json.get("window").filter(|list| list.items().len() == 2);
        let wants = json.get("wants").map_or(&[][..], Json::items);
        Ok(Case {
            op: word("op").unwrap_or_else(|| "attention".to_string()),
            dtype: word("dtype").ok_or("case.json has no dtype")?,
            batch: size("batch"),
            heads: size("heads"),
            kv_heads: size("kv_heads"),
            seq_q: size("seq_q"),
            seq_kv: size("seq_kv"),
            head_dim: size("head_dim"),
            head_dim_v: size("head_dim_v"),
            dim_y: size("dim_y"),
            scale: json.get("scale").and_then(Json::number).unwrap_or(1.0),
            softcap: json.get("softcap").and_then(Json::number).unwrap_or(0.0),
            causal: word("causal").unwrap_or_else(|| "none".to_string()),
            window: window.map(|list| [side(list, 0), side(list, 1)]),
            media: word("media"),
            dropout_rate: json.get("dropout_rate").and_then(Json::number).unwrap_or(0.0),
            wants: wants.iter().filter_map(Json::text).map(str::to_string).collect(),
            inputs: read_safetensors(&folder.join("inputs.safetensors"))?,
        })
    }

    pub fn input(&self, name: &str) -> Option<&Tensor> {
        self.inputs.get(name)
    }

    /// An input that the case has.
    pub fn required(&self, name: &str) -> Result<&Tensor, String> {
        self.input(name).ok_or_else(|| format!("the case has no {}", name))
    }

    pub fn wants(&self, name: &str) -> bool {
        self.wants.iter().any(|wanted| wanted == name)
    }

    /// May query i of head h attend to key j, in batch entry b? Every mask together.
    pub fn visible(&self, b: usize, h: usize, i: usize, j: usize) -> bool {
        let off = if self.causal == "bottom-right" { self.seq_kv as i64 - self.seq_q as i64 } else { 0 };
        let (here, key) = (i as i64 + off, j as i64);
        let holds = |name: &str, test: &dyn Fn(&Tensor) -> bool| self.input(name).map_or(true, test);
        let [left, right] = self.window.unwrap_or([-1, -1]);
        let image = |name: &str, length: usize, at: usize| self.input(name).map_or(0.0, |x| x.data[b * length + at]);
        let (text, own) = (image("media_text", self.seq_q, i), image("media_key", self.seq_kv, j));
        holds("mask", &|x| x.broadcast([b, h, i, j]) != 0.0)
            && holds("bias", &|x| x.broadcast([b, h, i, j]) != f64::NEG_INFINITY)
            && holds("kv_lengths", &|x| (j as f64) < x.data[b])
            && (self.causal == "none" || key <= here)
            && (left < 0 || key >= here - left)
            && (right < 0 || key <= here + right)
            && match self.media.as_deref() {
                Some("immediate") => text == own,
                Some(_) => text >= own,
                None => true,
            }
    }
}

/// Speaks protocol 1 until standard input closes. A panic in `compute` is an error of that case, and told.
pub fn serve<F>(hello: &str, mut compute: F) -> io::Result<()>
where
    F: FnMut(&Case) -> Result<Outputs, Refusal>,
{
    let say = |line: &str| -> io::Result<()> {
        let mut out = io::stdout().lock();
        writeln!(out, "{}", line)?;
        out.flush()
    };
    say(hello)?;
    for line in io::stdin().lock().lines() {
        let line = line?;
        let folder = match Json::parse(&line).ok().as_ref().and_then(|x| x.get("case")).and_then(Json::text) {
            Some(folder) => folder.to_string(),
            None => continue,
        };
        let (status, reason) = match answer(&PathBuf::from(&folder), &mut compute) {
            Ok(()) => ("ok", String::new()),
            Err(Refusal::Unsupported(reason)) => ("unsupported", reason),
            Err(Refusal::Error(reason)) => ("error", reason),
        };
        say(&format!("{{\"case\":{},\"status\":\"{}\",\"reason\":{}}}", quoted(&folder), status, quoted(&reason)))?;
    }
    Ok(())
}

fn answer<F>(folder: &Path, compute: &mut F) -> Result<(), Refusal>
where
    F: FnMut(&Case) -> Result<Outputs, Refusal>,
{
    let case = Case::read(folder)?;
    let outputs = panic::catch_unwind(AssertUnwindSafe(|| compute(&case))).map_err(|payload| {
        let told = payload.downcast_ref::<String>().cloned();
        let told = told.or_else(|| payload.downcast_ref::<&str>().map(|text| text.to_string()));
        Refusal::Error(format!("it panicked: {}", told.unwrap_or_else(|| "without a word".to_string())))
    })??;
    write_outputs(folder, &case, &outputs)?;
    Ok(())
}

/// The shape of an output; spec/case.md.
pub fn output_shape(case: &Case, name: &str) -> Vec<usize> {
    let Case { batch, heads, kv_heads, seq_q, seq_kv, head_dim, head_dim_v, dim_y, .. } = *case;
    match name {
        "out" => vec![batch, heads, seq_q, head_dim_v],
        "lse" => vec![batch, heads, seq_q],
        "d_q" => vec![batch, heads, seq_q, head_dim],
        "d_k" => vec![batch, kv_heads, seq_kv, head_dim],
        "d_v" => vec![batch, kv_heads, seq_kv, head_dim_v],
        "d_y" => vec![batch, seq_kv, dim_y],
        "d_sink" => vec![heads],
        "d_w_k" => vec![dim_y, kv_heads * head_dim],
        "d_w_v" => vec![dim_y, kv_heads * head_dim_v],
        _ => case.input(name.trim_start_matches("d_")).map_or(vec![], |x| x.shape.clone()),
    }
}

/// Writes those outputs that the case wants, whole or not at all.
pub fn write_outputs(folder: &Path, case: &Case, outputs: &Outputs) -> Result<(), String> {
    let (mut header, mut body) = (String::new(), Vec::new());
    for (name, stored) in outputs.iter().filter(|(name, _)| case.wants(name)) {
        let (dtype, bytes, count) = stored.bytes();
        let shape = output_shape(case, name);
        if shape.iter().product::<usize>() != count {
            return Err(format!("{} expected the shape {:?}, got {} numbers", name, shape, count));
        }
        let shape: Vec<String> = shape.iter().map(usize::to_string).collect();
        let (from, to) = (body.len(), body.len() + bytes.len());
        let comma = if header.is_empty() { "" } else { "," };
        header += &format!(
            "{}\"{}\":{{\"dtype\":\"{}\",\"shape\":[{}],\"data_offsets\":[{},{}]}}",
            comma, name, dtype, shape.join(","), from, to
        );
        body.extend(bytes);
    }
    let text = format!("{{{}}}", header);
    let padded = format!("{}{}", text, " ".repeat((8 - text.len() % 8) % 8));
    let mut file = (padded.len() as u64).to_le_bytes().to_vec();
    file.extend(padded.as_bytes());
    file.extend(body);
    let (temporary, place) = (folder.join("outputs.safetensors.tmp"), folder.join("outputs.safetensors"));
    let written = fs::write(&temporary, file).and_then(|()| fs::rename(&temporary, &place));
    written.map_err(|e| format!("outputs.safetensors: {}", e))
}

impl Stored {
    fn bytes(&self) -> (&'static str, Vec<u8>, usize) {
        let halves = |x: &[f32], to: fn(f32) -> u16| x.iter().flat_map(|&x| to(x).to_le_bytes()).collect();
        match self {
            Stored::F64(x) => ("F64", x.iter().flat_map(|x| x.to_le_bytes()).collect(), x.len()),
            Stored::F32(x) => ("F32", x.iter().flat_map(|x| x.to_le_bytes()).collect(), x.len()),
            Stored::F16(x) => ("F16", halves(x, to_f16), x.len()),
            Stored::BF16(x) => ("BF16", halves(x, to_bf16), x.len()),
        }
    }
}

/// The bits of the f16 nearest to x, ties to even.
pub fn to_f16(x: f32) -> u16 {
    let (bits, sign) = (x.to_bits() & 0x7FFF_FFFF, (x.to_bits() >> 16) as u16 & 0x8000);
    if bits > 0x7F80_0000 {
        return sign | 0x7E00;
    }
    if bits >= 0x4780_0000 {
        return sign | 0x7C00; // 65536 and beyond
    }
    if bits < 0x3880_0000 {
        // Below 2^-14 a unit is 2^-24; adding 1/2 leaves the rounded number of them in the last bits.
        let units = (f32::from_bits(bits) + 0.5).to_bits() - 0.5f32.to_bits();
        return sign | units as u16;
    }
    let rounded = bits + 0xFFF + (bits >> 13 & 1);
    sign | ((rounded - 0x3800_0000) >> 13) as u16
}

/// The bits of the bf16 nearest to x, ties to even.
pub fn to_bf16(x: f32) -> u16 {
    let bits = x.to_bits();
    if x.is_nan() {
        return (bits >> 16) as u16 | 0x40;
    }
    ((bits as u64 + 0x7FFF + (bits >> 16 & 1) as u64) >> 16) as u16
}

fn from_f16(bits: u16) -> f64 {
    let (exponent, fraction) = ((bits >> 10 & 0x1F) as i32, (bits & 0x3FF) as f64);
    let size = match exponent {
        0 => fraction * 2f64.powi(-24),
        31 if fraction == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        _ => (1024.0 + fraction) * 2f64.powi(exponent - 25),
    };
    if bits & 0x8000 == 0 { size } else { -size }
}

/// Tensors of a file by name, exactly as f64.
pub fn read_safetensors(path: &Path) -> Result<HashMap<String, Tensor>, String> {
    let told = |what: &str| format!("{}: {}", path.display(), what);
    let data = fs::read(path).map_err(|e| told(&e.to_string()))?;
    let length: [u8; 8] = data.get(..8).and_then(|b| b.try_into().ok()).ok_or_else(|| told("it is too short"))?;
    let start = usize::try_from(u64::from_le_bytes(length)).ok().and_then(|n| n.checked_add(8));
    let start = start.filter(|&n| n <= data.len()).ok_or_else(|| told("its header is longer than it is"))?;
    let header = Json::parse(std::str::from_utf8(&data[8..start]).map_err(|_| told("its header is no UTF-8"))?)?;
    let mut tensors = HashMap::new();
    for (name, entry) in header.members().iter().filter(|(name, _)| name != "__metadata__") {
        let list = |of: &str| entry.get(of).map_or(&[][..], Json::items);
        let whole = |x: &Json| x.number().filter(|n| *n >= 0.0 && n.fract() == 0.0).map(|n| n as usize);
        let shape: Option<Vec<usize>> = list("shape").iter().map(whole).collect();
        let offsets: Option<Vec<usize>> = list("data_offsets").iter().map(whole).collect();
        let bytes = match offsets.as_deref() {
            Some([from, to]) => start.checked_add(*from).zip(start.checked_add(*to)).and_then(|(a, b)| data.get(a..b)),
            _ => None,
        };
        let dtype = entry.get("dtype").and_then(Json::text).unwrap_or("");
        let numbers = bytes.and_then(|bytes| numbers_of(dtype, bytes));
        match (shape, numbers) {
            (Some(shape), Some(data)) if product(&shape) == Some(data.len()) => {
                tensors.insert(name.clone(), Tensor { shape, data });
            }
            _ => return Err(told(&format!("{} of {} is no tensor", name, dtype))),
        }
    }
    Ok(tensors)
}

fn product(shape: &[usize]) -> Option<usize> {
    shape.iter().try_fold(1usize, |count, &size| count.checked_mul(size))
}

fn numbers_of(dtype: &str, bytes: &[u8]) -> Option<Vec<f64>> {
    macro_rules! each {
        ($type:ty, $read:expr) => {
            bytes.chunks_exact(std::mem::size_of::<$type>()).map(|b| $read(<$type>::from_le_bytes(b.try_into().unwrap()))).collect()
        };
    }
    Some(match dtype {
        "F64" => each!(f64, |x: f64| x),
        "F32" => each!(f32, |x: f32| x as f64),
        "F16" => each!(u16, from_f16),
        "BF16" => each!(u16, |x: u16| f32::from_bits((x as u32) << 16) as f64),
        "I64" => each!(i64, |x: i64| x as f64),
        "I32" => each!(i32, |x: i32| x as f64),
        "U8" | "BOOL" => bytes.iter().map(|&x| x as f64).collect(),
        _ => return None,
    })
}

/// JSON, as far as the protocol and the files go.
pub enum Json {
    Null,
    Bool(bool),
    Number(f64),
    Text(String),
    List(Vec<Json>),
    Object(Vec<(String, Json)>),
}

impl Json {
    pub fn parse(text: &str) -> Result<Json, String> {
        let mut reader = Reader { text: text.as_bytes(), at: 0 };
        let value = reader.value(0)?;
        reader.space();
        if reader.at == text.len() { Ok(value) } else { Err(reader.wrong("the end")) }
    }

    pub fn get(&self, name: &str) -> Option<&Json> {
        self.members().iter().find(|(own, _)| own == name).map(|(_, value)| value)
    }

    pub fn members(&self) -> &[(String, Json)] {
        if let Json::Object(members) = self { members } else { &[] }
    }

    pub fn items(&self) -> &[Json] {
        if let Json::List(items) = self { items } else { &[] }
    }

    pub fn number(&self) -> Option<f64> {
        if let Json::Number(x) = self { Some(*x) } else { None }
    }

    pub fn text(&self) -> Option<&str> {
        if let Json::Text(text) = self { Some(text) } else { None }
    }
}

const DEPTH_MAX: usize = 64;

struct Reader<'a> {
    text: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn wrong(&self, expected: &str) -> String {
        format!("JSON expected {} at byte {}", expected, self.at)
    }

    fn space(&mut self) {
        while matches!(self.text.get(self.at), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn takes(&mut self, word: &str) -> bool {
        let there = self.text[self.at..].starts_with(word.as_bytes());
        if there {
            self.at += word.len();
        }
        there
    }

    fn value(&mut self, depth: usize) -> Result<Json, String> {
        self.space();
        if depth > DEPTH_MAX {
            return Err(self.wrong("less depth"));
        }
        match self.text.get(self.at) {
            Some(b'{') => self.object(depth),
            Some(b'[') => self.list(depth),
            Some(b'"') => Ok(Json::Text(self.string()?)),
            _ if self.takes("null") => Ok(Json::Null),
            _ if self.takes("true") => Ok(Json::Bool(true)),
            _ if self.takes("false") => Ok(Json::Bool(false)),
            _ => self.digits(),
        }
    }

    fn digits(&mut self) -> Result<Json, String> {
        let from = self.at;
        while matches!(self.text.get(self.at), Some(b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E')) {
            self.at += 1;
        }
        let text = std::str::from_utf8(&self.text[from..self.at]).unwrap_or("");
        text.parse().map(Json::Number).map_err(|_| self.wrong("a value"))
    }

    fn object(&mut self, depth: usize) -> Result<Json, String> {
        self.at += 1;
        let mut members = Vec::new();
        loop {
            self.space();
            if members.is_empty() && self.takes("}") {
                return Ok(Json::Object(members));
            }
            let name = self.string()?;
            self.space();
            if !self.takes(":") {
                return Err(self.wrong("a colon"));
            }
            members.push((name, self.value(depth + 1)?));
            self.space();
            if self.takes("}") {
                return Ok(Json::Object(members));
            }
            if !self.takes(",") {
                return Err(self.wrong("a comma"));
            }
        }
    }

    fn list(&mut self, depth: usize) -> Result<Json, String> {
        self.at += 1;
        let mut items = Vec::new();
        loop {
            self.space();
            if items.is_empty() && self.takes("]") {
                return Ok(Json::List(items));
            }
            items.push(self.value(depth + 1)?);
            self.space();
            if self.takes("]") {
                return Ok(Json::List(items));
            }
            if !self.takes(",") {
                return Err(self.wrong("a comma"));
            }
        }
    }

    fn string(&mut self) -> Result<String, String> {
        if !self.takes("\"") {
            return Err(self.wrong("a text"));
        }
        let mut bytes = Vec::new();
        loop {
            let byte = *self.text.get(self.at).ok_or_else(|| self.wrong("a quote"))?;
            self.at += 1;
            match byte {
                b'"' => return String::from_utf8(bytes).map_err(|_| self.wrong("UTF-8")),
                b'\\' => {
                    let mut room = [0; 4];
                    bytes.extend(self.escaped()?.encode_utf8(&mut room).as_bytes());
                }
                _ => bytes.push(byte),
            }
        }
    }

    fn escaped(&mut self) -> Result<char, String> {
        let byte = *self.text.get(self.at).ok_or_else(|| self.wrong("an escape"))?;
        self.at += 1;
        Ok(match byte {
            b'"' | b'\\' | b'/' => byte as char,
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let high = self.unit()?;
                let low = if (0xD800..0xDC00).contains(&high) && self.takes("\\u") { self.unit()? } else { 0 };
                let code = if low == 0 { high } else { 0x10000 + ((high - 0xD800) << 10) + low.wrapping_sub(0xDC00) };
                char::from_u32(code).ok_or_else(|| self.wrong("a character"))?
            }
            _ => return Err(self.wrong("an escape")),
        })
    }

    fn unit(&mut self) -> Result<u32, String> {
        let digits = self.text.get(self.at..self.at + 4).and_then(|b| std::str::from_utf8(b).ok());
        let unit = digits.and_then(|text| u32::from_str_radix(text, 16).ok()).ok_or_else(|| self.wrong("four digits"))?;
        self.at += 4;
        Ok(unit)
    }
}

/// A text as JSON.
fn quoted(text: &str) -> String {
    let mut json = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => json.extend(['\\', c]),
            c if (c as u32) < 0x20 => json += &format!("\\u{:04x}", c as u32),
            c => json.push(c),
        }
    }
    json + "\""
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_round_to_nearest_ties_to_even() {
        for bits in 0..=0xFFFFu16 {
            let x = from_f16(bits);
            if x.is_nan() {
                assert!(from_f16(to_f16(x as f32)).is_nan());
                continue;
            }
            assert_eq!(to_f16(x as f32), bits);
            let above = from_f16(bits.wrapping_add(1));
            if bits & 0x7FFF < 0x7BFF {
                let even = if bits & 1 == 0 { bits } else { bits + 1 };
                assert_eq!(to_f16(((x + above) / 2.0) as f32), even, "halfway beyond {}", x);
            }
        }
        assert_eq!([to_f16(65520.0), to_f16(65519.0), to_f16(1e-8), to_f16(f32::MAX)], [0x7C00, 0x7BFF, 0, 0x7C00]);
        let odd = [1.0 + 3.0 / 256.0, 1.0 + 1.0 / 256.0, f32::MAX, f32::NEG_INFINITY];
        assert_eq!(odd.map(to_bf16), [0x3F82, 0x3F80, 0x7F80, 0xFF80]);
        assert!(f32::from_bits((to_bf16(f32::NAN) as u32) << 16).is_nan());
    }

    #[test]
    fn json_is_read_and_what_is_none_is_refused() {
        let value = Json::parse(r#" {"a": [1, -2.5e3, true, null], "\u00e9\ud83d\ude00\"": {"b": "x\n"}, "c": {}} "#).unwrap();
        let list: Vec<_> = value.get("a").unwrap().items().iter().filter_map(Json::number).collect();
        assert_eq!(list, [1.0, -2500.0]);
        assert_eq!(value.get("é😀\"").and_then(|x| x.get("b")).and_then(Json::text), Some("x\n"));
        let deep = "[".repeat(100_000);
        for bad in ["", "{", "[1,]", "{\"a\"}", "{\"a\":1,}", "1 2", "\"\\u12\"", "\"\\ud800\"", "\"", "nul", &deep] {
            assert!(Json::parse(bad).is_err(), "{}", &bad[..bad.len().min(9)]);
        }
        assert_eq!(quoted("a\"\\\u{1}é"), "\"a\\\"\\\\\\u0001é\"");
    }

    #[test]
    fn a_file_that_lies_is_refused() {
        let path = std::env::temp_dir().join(format!("xattn-rust-{}.safetensors", std::process::id()));
        let with = |header: &str, body: usize| {
            let mut file = (header.len() as u64).to_le_bytes().to_vec();
            file.extend(header.as_bytes());
            file.extend(vec![0; body]);
            fs::write(&path, file).unwrap();
            read_safetensors(&path)
        };
        let entry = |shape: &str, from: u64, to: u64| {
            format!(r#"{{"q":{{"dtype":"F32","shape":{},"data_offsets":[{},{}]}}}}"#, shape, from, to)
        };
        assert_eq!(with(&entry("[2]", 0, 8), 8).unwrap()["q"].data, [0.0, 0.0]);
        for (header, body) in [
            (entry("[2]", 0, 8), 4), (entry("[3]", 0, 8), 8), (entry("[2]", 8, 0), 8), (entry("[-1]", 0, 8), 8),
            (entry("[1e300,1e300]", 0, 8), 8),
            (entry("[2]", 0, 18446744073709551615), 8), ("{".to_string(), 0), (r#"{"q":{}}"#.to_string(), 0),
        ] {
            assert!(with(&header, body).is_err(), "{}", header);
        }
        fs::write(&path, 1e18f64.to_le_bytes()).unwrap();
        assert!(read_safetensors(&path).is_err());
        fs::remove_file(&path).unwrap();
    }
}
