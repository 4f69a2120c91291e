//! Draws and losses that tests share with the scripts of golden/.

use fall_line::loss::Loss;

/// Returns the upper 53 bits of splitmix64 (Steele et al. 2014) of the position, as a number in (0, 1).
pub fn uniform(seed: u64, draw: u64, position: u64) -> f64 {
    let mut z = position + ((seed * 64 + draw) << 32);
    z = (z + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^= z >> 31;
    ((z >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
}

/// Returns the loss of a name, with δ or τ if it has one.
pub fn loss(name: &str, parameter: Option<f64>) -> Loss {
    let loss = Loss::ALL.into_iter().find(|loss| loss.name() == name);
    loss.unwrap().with_parameter(parameter).unwrap()
}
