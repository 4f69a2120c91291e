// Synthetic samples, drawn where they will be read: the f32 twin of src/data/threefry.rs, which says what is drawn.
//
// Joined with the constants of the inverse normal, of which that file has the only copy.
//
// The words, the uniform draws and the choice of outliers are the twin's to the bit. A normal draw is off from the
// twin's by less than 12 · 2^-23 of itself, with the accuracy that WGSL asks of every adapter: in the tail √ may bring
// 4.7 of them and the logarithm 1.9; in the centre it is 8 in all, the logarithm's 1.9 among them.

// Invocations of a workgroup; each draws four samples, so that it stores 16 bytes at once.
override WORKGROUP_SIZE: u32;

struct Draw {
    // The seed.
    key_low: u32,
    key_high: u32,
    // The position of this dispatch's first sample in the data set.
    position_low: u32,
    position_high: u32,
    // Where in x and y that sample's vec4 is, and how many vec4s there are to draw.
    first: u32,
    vec4s: u32,
    // The share of outliers, in 2^-31, and how far each is off.
    outliers: u32,
    gross_error: f32,
    slope: f32,
    intercept: f32,
    noise: f32,
    x_start: f32,
    x_length: f32,
}

var<immediate> draw: Draw;

// Padded to whole vec4s; behind the last sample, too, are draws.
@group(0) @binding(0) var<storage, read_write> x: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> y: array<vec4<f32>>;

@compute @workgroup_size(WORKGROUP_SIZE)
fn draw_samples(@builtin(global_invocation_id) invocation: vec3<u32>) {
    let at = invocation.x;
    if at >= draw.vec4s {
        return;
    }
    let low = vec4(draw.position_low + 4u * at) + vec4(0u, 1u, 2u, 3u);
    // The sum has wrapped around where it is below what was added to.
    let high = vec4(draw.position_high) + select(vec4(0u), vec4(1u), low < vec4(draw.position_low));
    let words = threefry(low, high);
    let drawn_x = draw.x_start + draw.x_length * uniform(words.a);
    var drawn_y = draw.intercept + draw.slope * drawn_x + draw.noise * normal(words.b);
    if draw.outliers > 0u {
        let chance = threefry(low, high | vec4(0x80000000u)).a >> vec4(1u);
        drawn_y += select(vec4(0.0), vec4(draw.gross_error), chance < vec4(draw.outliers));
    }
    x[draw.first + at] = drawn_x;
    y[draw.first + at] = drawn_y;
}

// Two random words of each of four positions.
struct Words {
    a: vec4<u32>,
    b: vec4<u32>,
}

// Threefry-2x32 of 20 rounds.
fn threefry(low: vec4<u32>, high: vec4<u32>) -> Words {
    let key_0 = draw.key_low;
    let key_1 = draw.key_high;
    let key_2 = key_0 ^ key_1 ^ 0x1bd11bdau;
    var words = Words(low + key_0, high + key_1);
    words = add(four_rounds(words, 13u, 15u, 26u, 6u), key_1, key_2 + 1u);
    words = add(four_rounds(words, 17u, 29u, 16u, 24u), key_2, key_0 + 2u);
    words = add(four_rounds(words, 13u, 15u, 26u, 6u), key_0, key_1 + 3u);
    words = add(four_rounds(words, 17u, 29u, 16u, 24u), key_1, key_2 + 4u);
    return add(four_rounds(words, 13u, 15u, 26u, 6u), key_2, key_0 + 5u);
}

fn four_rounds(words: Words, r0: u32, r1: u32, r2: u32, r3: u32) -> Words {
    return one_round(one_round(one_round(one_round(words, r0), r1), r2), r3);
}

fn one_round(words: Words, rotation: u32) -> Words {
    let a = words.a + words.b;
    let rotated = (words.b << vec4(rotation)) | (words.b >> vec4(32u - rotation));
    return Words(a, rotated ^ a);
}

fn add(words: Words, a: u32, b: u32) -> Words {
    return Words(words.a + a, words.b + b);
}

// From [0, 1). 24 bits, so that the conversion is exact.
fn uniform(word: vec4<u32>) -> vec4<f32> {
    return vec4<f32>(word >> vec4(8u)) * 0x1p-24f;
}

// A standard-normal draw: the sign bit, and 31 bits for how rare it is.
fn normal(word: vec4<u32>) -> vec4<f32> {
    let odd = (word << vec4(1u)) | vec4(1u);
    // Each to its last bit, where 1 − t would lose t, or x.
    let t = vec4<f32>(odd) * 0x1p-32f;
    let x = vec4<f32>(vec4(0u) - odd) * 0x1p-32f;
    let w = -log(t * (1.0 + x));
    let central = polynomial(CENTRAL, w - CENTRAL_MIDDLE);
    let tail = polynomial(TAIL, sqrt(max(w, vec4(SPLIT))) - TAIL_MIDDLE);
    let size = select(tail, central, w <= vec4(SPLIT)) * x;
    return bitcast<vec4<f32>>(bitcast<vec4<u32>>(size) | (word & vec4(0x80000000u)));
}

// By Horner's rule, the highest power first.
fn polynomial(c: array<f32, 9>, at: vec4<f32>) -> vec4<f32> {
    let upper = ((c[0] * at + c[1]) * at + c[2]) * at + c[3];
    let lower = (((upper * at + c[4]) * at + c[5]) * at + c[6]) * at + c[7];
    return lower * at + c[8];
}
