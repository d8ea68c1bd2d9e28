//! Attention in Rust, forward and backward in f32: put yours in the place of `attend` and `differentiate`.
//!
//! ```text
//! cargo build --release
//! npx xattn gate --suite core --candidate target/release/candidate
//! ```
mod xattn;

use xattn::{Case, Outputs, Refusal, Stored};

const HELLO: &str = concat!(
    r#"{"xattn":1,"name":"Rust example","profile":"f32","supports":["forward","backward","gqa","mask","#,
    r#""bias","causal-top-left","causal-bottom-right","window","media","varlen","dlse","uneven","poison","#,
    r#""merge","no-d-bias","f32","f16","bf16"]}"#
);

/// The inputs of a case as f32.
struct Inputs {
    q: Vec<f32>,
    k: Vec<f32>,
    v: Vec<f32>,
    d_out: Vec<f32>,
    d_lse: Vec<f32>,
}

/// A row of queries, and where its numbers lie.
#[derive(Clone, Copy)]
struct Row {
    b: usize,
    h: usize,
    i: usize,
    /// Of all queries; and the head of keys and values, of all batch entries.
    row: usize,
    g: usize,
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

/// Line n of a matrix of so many columns.
fn line(x: &[f32], n: usize, width: usize) -> &[f32] {
    &x[n * width..(n + 1) * width]
}

/// Keys that a row sees, each with its score. A key that it does not see is not looked at: it may hold NaN.
fn scores(case: &Case, x: &Inputs, at: Row) -> Vec<(usize, f32)> {
    let q = line(&x.q, at.row, case.head_dim);
    let seen = (0..case.seq_kv).filter(|&j| case.visible(at.b, at.h, at.i, j));
    seen.map(|j| {
        let score = case.scale as f32 * dot(q, line(&x.k, at.g * case.seq_kv + j, case.head_dim));
        let bias = case.input("bias").map_or(0.0, |bias| bias.broadcast([at.b, at.h, at.i, j]) as f32);
        (at.g * case.seq_kv + j, score + bias)
    })
    .collect()
}

/// The output of a row into `out`, and its LSE; a row that sees nothing has 0 and −∞.
fn attend(case: &Case, x: &Inputs, at: Row, out: &mut [f32]) -> f32 {
    let row = scores(case, x, at);
    let m = row.iter().fold(f32::NEG_INFINITY, |m, &(_, s)| m.max(s));
    let mut l = 0.0;
    for &(key, s) in &row {
        let weight = (s - m).exp();
        l += weight;
        for (o, v) in out.iter_mut().zip(line(&x.v, key, case.head_dim_v)) {
            *o += weight * v;
        }
    }
    if row.is_empty() {
        return f32::NEG_INFINITY;
    }
    out.iter_mut().for_each(|o| *o /= l);
    m + l.ln()
}

/// Adds what a row gives to d_q, d_k and d_v; P comes again from the LSE.
fn differentiate(case: &Case, x: &Inputs, at: Row, out: &[f32], lse: f32, d: &mut [Vec<f32>; 3]) {
    let (width, width_v) = (case.head_dim, case.head_dim_v);
    let (q, d_out) = (line(&x.q, at.row, width), line(&x.d_out, at.row, width_v));
    let delta = x.d_lse[at.row] - dot(d_out, out);
    for (key, s) in scores(case, x, at) {
        let p = (s - lse).exp();
        let ds = p * (dot(d_out, line(&x.v, key, width_v)) + delta) * case.scale as f32;
        for c in 0..width_v {
            d[2][key * width_v + c] += p * d_out[c];
        }
        for c in 0..width {
            d[0][at.row * width + c] += ds * x.k[key * width + c];
            d[1][key * width + c] += ds * q[c];
        }
    }
}

fn attention(case: &Case) -> Result<Outputs, Refusal> {
    let (rows, keys) = (case.batch * case.heads * case.seq_q, case.batch * case.kv_heads * case.seq_kv);
    let or_zeros = |name: &str, count: usize| case.input(name).map_or(vec![0.0; count], |x| x.f32s());
    let x = Inputs {
        q: case.required("q")?.f32s(),
        k: case.required("k")?.f32s(),
        v: case.required("v")?.f32s(),
        d_out: or_zeros("d_out", rows * case.head_dim_v),
        d_lse: or_zeros("d_lse", rows),
    };
    let (mut out, mut lse) = (vec![0.0; rows * case.head_dim_v], vec![0.0; rows]);
    let mut d = [rows * case.head_dim, keys * case.head_dim, keys * case.head_dim_v].map(|count| vec![0.0; count]);
    for row in 0..rows {
        let (b, h) = (row / (case.heads * case.seq_q), row / case.seq_q % case.heads);
        let at = Row { b, h, i: row % case.seq_q, row, g: b * case.kv_heads + h * case.kv_heads / case.heads };
        let own = &mut out[row * case.head_dim_v..(row + 1) * case.head_dim_v];
        lse[row] = attend(case, &x, at, own);
        if case.input("d_out").is_some() {
            differentiate(case, &x, at, own, lse[row], &mut d);
        }
    }
    let [d_q, d_k, d_v] = d.map(Stored::F32);
    Ok(vec![("out", Stored::F32(out)), ("lse", Stored::F32(lse)), ("d_q", d_q), ("d_k", d_k), ("d_v", d_v)])
}

/// Partial results of a row as one: weights below the largest LSE, over their sum. A part that has seen no key has
/// LSE −∞ and is not looked at.
fn merge(case: &Case) -> Result<Outputs, Refusal> {
    let (outs, lses) = (case.required("outs")?, case.required("lses")?);
    let (rows, width) = (case.batch * case.heads * case.seq_q, case.head_dim_v);
    let (mut out, mut lse) = (vec![0.0f32; rows * width], vec![f32::NEG_INFINITY; rows]);
    for row in 0..rows {
        let parts = (0..outs.shape[0]).map(|p| p * rows + row).filter(|&at| lses.data[at] != f64::NEG_INFINITY);
        let parts: Vec<(usize, f32)> = parts.map(|at| (at, lses.data[at] as f32)).collect();
        let m = parts.iter().fold(f32::NEG_INFINITY, |m, &(_, lse)| m.max(lse));
        let total: f32 = parts.iter().map(|&(_, lse)| (lse - m).exp()).sum();
        for &(at, part) in &parts {
            let weight = (part - m).exp() / total;
            for c in 0..width {
                out[row * width + c] += weight * outs.data[at * width + c] as f32;
            }
        }
        if !parts.is_empty() {
            lse[row] = m + total.ln();
        }
    }
    Ok(vec![("out", Stored::F32(out)), ("lse", Stored::F32(lse))])
}

fn main() -> std::io::Result<()> {
    xattn::serve(HELLO, |case| match case.op.as_str() {
        "merge" => merge(case),
        "attention" => attention(case),
        other => Err(Refusal::Unsupported(format!("it does not know {}", other))),
    })
}
