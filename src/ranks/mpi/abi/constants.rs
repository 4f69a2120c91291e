//! Handles and constants, which kinds of libraries differ in.

use std::ffi::{c_int, c_void};
use std::ptr;

use super::Library;

/// A handle: a communicator, a type, an error handler or a request.
pub trait Handle: Copy + 'static {
    /// A request before it has begun.
    const NONE: Self;
}

impl Handle for c_int {
    const NONE: Self = 0;
}

impl Handle for *mut c_void {
    const NONE: Self = ptr::null_mut();
}

/// The constants that kinds of libraries differ in.
pub struct Constants<H> {
    pub(super) world: H,
    pub(super) byte: H,
    pub(super) errors_return: H,
    /// MPI_STATUS_IGNORE.
    pub(super) ignore: *mut c_void,
    /// MPI_THREAD_FUNNELED.
    pub(super) funneled: c_int,
}

impl Constants<c_int> {
    /// Returns those of MPICH.
    pub fn of_mpich() -> Self {
        Constants {
            world: 0x4400_0000,
            byte: 0x4c00_010d,
            errors_return: 0x5400_0001,
            ignore: ptr::without_provenance_mut(1),
            funneled: 1,
        }
    }
}

impl Constants<*mut c_void> {
    /// Returns those of the standard ABI.
    pub fn of_standard() -> Self {
        Constants {
            world: ptr::without_provenance_mut(0x101),
            byte: ptr::without_provenance_mut(0x247),
            errors_return: ptr::without_provenance_mut(0x143),
            ignore: ptr::null_mut(),
            funneled: 1024,
        }
    }

    /// Returns those of Open MPI, which are addresses in the library.
    pub fn of_open_mpi(library: &Library) -> Result<Self, String> {
        // SAFETY: a symbol of a variable is its address, and is handed back to the library as such.
        let address = |name| unsafe { library.symbol::<*mut c_void>(name) };
        Ok(Constants {
            world: address(c"ompi_mpi_comm_world")?,
            byte: address(c"ompi_mpi_byte")?,
            errors_return: address(c"ompi_mpi_errors_return")?,
            ignore: ptr::null_mut(),
            funneled: 1,
        })
    }
}
