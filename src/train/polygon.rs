//! A convex polygon, and what half-planes leave of it.

/// A convex polygon by its corners, counter-clockwise; without corners it is empty.
#[derive(Clone, Debug)]
pub(super) struct Polygon {
    corners: Vec<[f64; 2]>,
    /// The corners before the last cut: kept for its memory.
    before: Vec<[f64; 2]>,
}

impl Polygon {
    /// The rectangle from one corner to the opposite one, which is greater in both coordinates.
    pub(super) fn rectangle(low: [f64; 2], high: [f64; 2]) -> Self {
        Polygon {
            corners: vec![low, [high[0], low[1]], high, [low[0], high[1]]],
            before: Vec::new(),
        }
    }

    /// Leaves the points p with normal · p < offset.
    pub(super) fn cut(&mut self, normal: [f64; 2], offset: f64) {
        let beyond = |p: [f64; 2]| normal[0] * p[0] + normal[1] * p[1] - offset;
        std::mem::swap(&mut self.corners, &mut self.before);
        self.corners.clear();
        let Some(&last) = self.before.last() else {
            return;
        };
        let (mut from, mut from_beyond) = (last, beyond(last));
        for &to in &self.before {
            let to_beyond = beyond(to);
            // An edge that crosses the border leaves a corner there.
            if (from_beyond < 0.0) != (to_beyond < 0.0) {
                let t = from_beyond / (from_beyond - to_beyond);
                self.corners
                    .push([0, 1].map(|i| from[i] + t * (to[i] - from[i])));
            }
            if to_beyond < 0.0 {
                self.corners.push(to);
            }
            (from, from_beyond) = (to, to_beyond);
        }
    }

    /// The least and the greatest of each coordinate; none of a polygon without corners.
    pub(super) fn ends(&self) -> Option<[[f64; 2]; 2]> {
        let &first = self.corners.first()?;
        let mut ends = first.map(|value| [value; 2]);
        for corner in &self.corners {
            for (ends, value) in ends.iter_mut().zip(corner) {
                *ends = [ends[0].min(*value), ends[1].max(*value)];
            }
        }
        Some(ends)
    }

    /// The centre of gravity; none of a polygon without an area.
    pub(super) fn centroid(&self) -> Option<[f64; 2]> {
        let &first = self.corners.first()?;
        let (mut area, mut moment) = (0.0, [0.0; 2]);
        // Triangles from the first corner, so that a small polygon far from 0 keeps its digits.
        for pair in self.corners.windows(2) {
            let [p, q] = [pair[0], pair[1]].map(|p| [p[0] - first[0], p[1] - first[1]]);
            let twice = p[0] * q[1] - p[1] * q[0];
            area += twice;
            for i in [0, 1] {
                moment[i] += twice * (p[i] + q[i]) / 3.0;
            }
        }
        let centroid = [0, 1].map(|i| first[i] + moment[i] / area);
        (area > 0.0 && centroid.iter().all(|c| c.is_finite())).then_some(centroid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_leaves_its_side() {
        let square = || Polygon::rectangle([10.0, -1.0], [12.0, 1.0]);
        assert_eq!(square().centroid(), Some([11.0, 0.0]));
        assert_eq!(square().ends(), Some([[10.0, 12.0], [-1.0, 1.0]]));
        // x + y < 11 leaves the corner's triangle (10, −1), (12, −1), (10, 1).
        let mut triangle = square();
        triangle.cut([1.0, 1.0], 11.0);
        let [x, y] = triangle.centroid().unwrap();
        assert!((x - 32.0 / 3.0).abs() < 1e-14 && (y + 1.0 / 3.0).abs() < 1e-14);
        // A cut that passes by takes nothing, to the bit.
        let whole = triangle.centroid();
        triangle.cut([1.0, 0.0], 12.5);
        assert_eq!(triangle.centroid(), whole);
        // And one on the other side takes all; so does one whose border an edge lies on.
        triangle.cut([1.0, 0.0], 10.0);
        assert_eq!(triangle.centroid(), None);
        assert_eq!(triangle.ends(), None);
        triangle.cut([1.0, 0.0], 20.0);
        assert_eq!(triangle.centroid(), None);
    }

    #[test]
    fn without_a_direction_it_is_all_or_nothing() {
        let mut square = Polygon::rectangle([0.0, 0.0], [1.0, 1.0]);
        square.cut([0.0, 0.0], 1e-300);
        assert_eq!(square.centroid(), Some([0.5, 0.5]));
        square.cut([0.0, 0.0], 0.0);
        assert_eq!(square.centroid(), None);
    }
}
