// ln cosh r, and tanh r. Where |r| is small the closed forms cancel to nothing: Taylor series stand there.
// tanh and cosh themselves overflow on some drivers, and log may be off by 2^-21 (Vulkan's bound), so
// only exp is called: tanh |r| = (1 − e)/(1 + e) with e = e^(−2|r|), and ln(1 + e) = 2 artanh(e / (2 + e)).
const NEAR = vec4(0.5);

fn loss_value(residual: vec4<f32>) -> vec4<f32> {
    let size = abs(residual);
    let s = min(size, NEAR) * min(size, NEAR);
    let near = s * (1.0 / 2.0 - s * (1.0 / 12.0 - s * (1.0 / 45.0 - s * (17.0 / 2520.0 - s * (31.0 / 14175.0 - s * (691.0 / 935550.0))))));
    let e = exp(-2.0 * size);
    let q = e / (2.0 + e);
    let q2 = q * q;
    let far = size - log(2.0) + 2.0 * q * (1.0 + q2 * (1.0 / 3.0 + q2 * (1.0 / 5.0 + q2 * (1.0 / 7.0))));
    return select(far, near, size < NEAR);
}

fn loss_derivative(residual: vec4<f32>) -> vec4<f32> {
    let size = abs(residual);
    let s = min(size, NEAR) * min(size, NEAR);
    let near = residual * (1.0 - s * (1.0 / 3.0 - s * (2.0 / 15.0 - s * (17.0 / 315.0 - s * (62.0 / 2835.0 - s * (1382.0 / 155925.0 - s * (21844.0 / 6081075.0)))))));
    let e = exp(-2.0 * size);
    let far = sign(residual) * (1.0 - e) / (1.0 + e);
    return select(far, near, size < NEAR);
}
