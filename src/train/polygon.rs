//! A convex polygon in the plane of w and b, cut by half-planes.

use crate::model::Model;

/// A convex polygon, given by its corners counter-clockwise. It is empty if it has no corners.
#[derive(Clone, Debug)]
pub struct Polygon {
    corners: Vec<Model>,
    /// The corners before the last cut, kept to reuse their memory.
    before: Vec<Model>,
}

impl Polygon {
    /// Returns the rectangle between two opposite corners; `high` is the greater one in both coordinates.
    pub fn rectangle(low: Model, high: Model) -> Self {
        let corner = |w, b| Model { w, b };
        Polygon {
            corners: vec![low, corner(high.w, low.b), high, corner(low.w, high.b)],
            before: Vec::new(),
        }
    }

    /// Keeps the points p with normal · p < offset.
    pub fn cut(&mut self, normal: Model, offset: f64) {
        let beyond = |p: Model| normal.dot(p) - offset;
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
                self.corners.push(from + (to - from) * t);
            }
            if to_beyond < 0.0 {
                self.corners.push(to);
            }
            (from, from_beyond) = (to, to_beyond);
        }
    }

    /// Returns the opposite corners of the bounding box, or `None` if the polygon is empty.
    pub fn bounds(&self) -> Option<(Model, Model)> {
        let &first = self.corners.first()?;
        let bounds = self.corners.iter().fold((first, first), |(low, high), at| {
            let low = Model {
                w: low.w.min(at.w),
                b: low.b.min(at.b),
            };
            let high = Model {
                w: high.w.max(at.w),
                b: high.b.max(at.b),
            };
            (low, high)
        });
        Some(bounds)
    }

    /// Returns the centre of gravity, or `None` if the polygon has no area.
    pub fn centroid(&self) -> Option<Model> {
        let &first = self.corners.first()?;
        let (mut area, mut moment) = (0.0, Model::ZERO);
        // Triangles from the first corner, so that a small polygon far from 0 keeps its digits.
        for pair in self.corners.windows(2) {
            let (p, q) = (pair[0] - first, pair[1] - first);
            let twice = p.w * q.b - p.b * q.w;
            area += twice;
            moment = moment + ((p + q) * twice).map(|value| value / 3.0);
        }
        let centroid = first + moment.map(|value| value / area);
        (area > 0.0 && centroid.is_finite()).then_some(centroid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(w: f64, b: f64) -> Model {
        Model { w, b }
    }

    #[test]
    fn a_cut_keeps_one_side() {
        let square = || Polygon::rectangle(at(10.0, -1.0), at(12.0, 1.0));
        assert_eq!(square().centroid(), Some(at(11.0, 0.0)));
        assert_eq!(square().bounds(), Some((at(10.0, -1.0), at(12.0, 1.0))));
        // w + b < 11 leaves the triangle (10, −1), (12, −1), (10, 1).
        let mut triangle = square();
        triangle.cut(at(1.0, 1.0), 11.0);
        let Model { w, b } = triangle.centroid().unwrap();
        assert!((w - 32.0 / 3.0).abs() < 1e-14 && (b + 1.0 / 3.0).abs() < 1e-14);
        // A cut that misses the triangle changes no bit.
        let whole = triangle.centroid();
        triangle.cut(at(1.0, 0.0), 12.5);
        assert_eq!(triangle.centroid(), whole);
        // A cut beyond the other side leaves nothing, even if an edge lies on its border.
        triangle.cut(at(1.0, 0.0), 10.0);
        assert_eq!(triangle.centroid(), None);
        assert_eq!(triangle.bounds(), None);
        triangle.cut(at(1.0, 0.0), 20.0);
        assert_eq!(triangle.centroid(), None);
    }

    #[test]
    fn a_cut_without_a_direction_keeps_all_or_nothing() {
        let mut square = Polygon::rectangle(Model::ZERO, Model::both(1.0));
        square.cut(Model::ZERO, 1e-300);
        assert_eq!(square.centroid(), Some(Model::both(0.5)));
        square.cut(Model::ZERO, 0.0);
        assert_eq!(square.centroid(), None);
    }
}
