//! The calls of an MPI library that is opened at run time: all that is unsafe about MPI.
//!
//! Libraries of three kinds have the same functions, but other handles and constants. The numbers are those of `mpi.h` in Open
//! MPI 4.1 and 5.0, MPICH 4.3 and 5.0, and of `mpi_abi.h` in MPICH 5.0.
#![allow(
    unsafe_code,
    reason = "functions of a library that is opened at run time"
)]

use std::ffi::{CStr, c_char, c_int, c_void};
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::path::{Path, PathBuf};
use std::ptr;

use libloading::os::unix::{Library as Opened, RTLD_GLOBAL, RTLD_NOW};

pub use self::constants::{Constants, Handle};
use crate::error::Error;

mod constants;

/// A kind of library, by its handles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Open MPI up to 5: handles are the addresses of variables.
    OpenMpi,
    /// MPICH, Intel MPI, MVAPICH and Cray's: handles are ints.
    Mpich,
    /// The standard ABI of MPI 5: handles are pointers with fixed values.
    Standard,
}

/// The longest version text of any library.
const VERSION: usize = 8192;

/// The longest error text of any library: 512 in MPICH and the standard ABI.
const TEXT: usize = 1024;

/// An open library. It stays open until the process ends: none bears being closed.
pub struct Library {
    opened: ManuallyDrop<Opened>,
    name: PathBuf,
}

impl Library {
    /// Opens a library by its path, or by a name that the system looks up. The error says why not.
    pub fn open(name: &Path) -> Result<Self, String> {
        // SAFETY: runs the library's initialisers, which is why only names of MPI libraries come here. Plug-ins of Open MPI
        // look for symbols of the library among the global ones.
        let opened = unsafe { Opened::open(Some(name), RTLD_NOW | RTLD_GLOBAL) };
        let opened = opened.map_err(|error| one_line(&error.to_string()))?;
        Ok(Library {
            opened: ManuallyDrop::new(opened),
            name: name.to_owned(),
        })
    }

    /// Returns name and version of the library: the first line of what it says, up to a comma.
    pub fn version(&self) -> Result<String, String> {
        type Call = unsafe extern "C" fn(*mut c_char, *mut c_int) -> c_int;
        // SAFETY: the type is that of MPI's standard, in all three kinds.
        let call = unsafe { self.symbol::<Call>(c"MPI_Get_library_version") }?;
        let mut text = [0_u8; VERSION];
        let mut length = 0;
        // SAFETY: may be called before MPI_Init, and writes at most VERSION bytes.
        unsafe { call(text.as_mut_ptr().cast(), &mut length) };
        let text = CStr::from_bytes_until_nul(&text)
            .unwrap_or_default()
            .to_string_lossy();
        let name = text.split([',', '\n']).next().unwrap_or_default();
        Ok(name.split_whitespace().collect::<Vec<_>>().join(" "))
    }

    /// Returns the kind of the library, by its symbols and by what it says of itself, not by its name.
    pub fn kind(&self) -> Result<Kind, String> {
        type Call = unsafe extern "C" fn(*mut c_int, *mut c_int) -> c_int;
        // SAFETY: the type is that of MPI 5's standard.
        if let Ok(call) = unsafe { self.symbol::<Call>(c"MPI_Abi_get_version") } {
            let (mut major, mut minor) = (-1, -1);
            // SAFETY: may be called before MPI_Init, and writes two ints. A library of another kind answers −1.
            unsafe { call(&mut major, &mut minor) };
            if major == 1 {
                return Ok(Kind::Standard);
            }
        }
        // SAFETY: the address of a variable, which is not read.
        if unsafe { self.symbol::<*mut c_void>(c"ompi_mpi_comm_world") }.is_ok() {
            return Ok(Kind::OpenMpi);
        }
        let version = self.version()?;
        let of_mpich = ["MPICH", "Intel(R) MPI", "MVAPICH", "ParaStation"];
        if of_mpich.iter().any(|name| version.contains(name)) {
            return Ok(Kind::Mpich);
        }
        Err(format!(
            "{} has an unknown ABI: {version}",
            self.name.display()
        ))
    }

    /// Returns the name that the library was opened by.
    pub fn name(&self) -> &Path {
        &self.name
    }

    /// Returns a symbol.
    ///
    /// # Safety
    /// It must be of this type.
    unsafe fn symbol<T: Copy>(&self, name: &CStr) -> Result<T, String> {
        // SAFETY: the caller's promise. The copy outlives no library, as none is closed.
        let symbol = unsafe { self.opened.get::<T>(name.to_bytes_with_nul()) };
        symbol
            .map(|symbol| *symbol)
            .map_err(|error| one_line(&error.to_string()))
    }
}

fn one_line(text: &str) -> String {
    text.lines().collect::<Vec<_>>().join(" ")
}

/// Declares the functions, with their types in MPI's standard.
macro_rules! functions {
    ($($field:ident = $symbol:literal($($argument:ty),*);)*) => {
        struct Functions<H> {
            $($field: unsafe extern "C" fn($($argument),*) -> c_int,)*
        }

        impl<H: Handle> Functions<H> {
            /// # Safety
            /// The library's handles must be `H`.
            unsafe fn load(library: &Library) -> Result<Self, String> {
                Ok(Functions {
                    // SAFETY: the types are those of MPI's standard, and the caller promises the handles.
                    $($field: unsafe { library.symbol($symbol) }?,)*
                })
            }
        }
    };
}

functions! {
    init_thread = c"MPI_Init_thread"(*mut c_int, *mut c_void, c_int, *mut c_int);
    comm_rank = c"MPI_Comm_rank"(H, *mut c_int);
    comm_size = c"MPI_Comm_size"(H, *mut c_int);
    comm_set_errhandler = c"MPI_Comm_set_errhandler"(H, H);
    error_string = c"MPI_Error_string"(c_int, *mut c_char, *mut c_int);
    iallgather = c"MPI_Iallgather"(*const c_void, c_int, H, *mut c_void, c_int, H, H, *mut H);
    iallgatherv = c"MPI_Iallgatherv"(*const c_void, c_int, H, *mut c_void, *const c_int, *const c_int, H, H, *mut H);
    isend = c"MPI_Isend"(*const c_void, c_int, H, c_int, c_int, H, *mut H);
    irecv = c"MPI_Irecv"(*mut c_void, c_int, H, c_int, c_int, H, *mut H);
    test = c"MPI_Test"(*mut H, *mut c_int, *mut c_void);
    abort = c"MPI_Abort"(H, c_int);
    finalize = c"MPI_Finalize"();
}

/// The tag of all messages.
const TAG: c_int = 1;

/// MPI, initialised by the thread that holds this, which it can't leave.
pub struct Calls<H> {
    functions: Functions<H>,
    constants: Constants<H>,
    /// Makes it neither `Send` nor `Sync`.
    bound: PhantomData<*mut ()>,
}

impl<H: Handle> Calls<H> {
    /// Initialises MPI, once in a process. From now on failing calls return an error, instead of ending the job.
    pub fn init(library: &Library, constants: Constants<H>) -> Result<Self, Error> {
        // SAFETY: the constants were made for this library's kind, and their handles are of its type.
        let functions = unsafe { Functions::load(library) }.map_err(Error::Usage)?;
        let calls = Calls {
            functions,
            constants,
            bound: PhantomData,
        };
        let mut provided = 0;
        // SAFETY: null stands for "no arguments" since MPI 2. Only this thread ever calls, which FUNNELED is about.
        let code = unsafe {
            (calls.functions.init_thread)(
                ptr::null_mut(),
                ptr::null_mut(),
                calls.constants.funneled,
                &mut provided,
            )
        };
        calls.check("MPI_Init_thread", code)?;
        // SAFETY: MPI is initialised, and the handles are the library's.
        let code = unsafe {
            (calls.functions.comm_set_errhandler)(
                calls.constants.world,
                calls.constants.errors_return,
            )
        };
        calls.check("MPI_Comm_set_errhandler", code)?;
        Ok(calls)
    }

    /// Returns the rank of this process, and the number of ranks.
    pub fn rank_and_size(&self) -> Result<(usize, usize), Error> {
        let (mut rank, mut size) = (0, 0);
        // SAFETY: MPI is initialised. Writes an int.
        let code = unsafe { (self.functions.comm_rank)(self.constants.world, &mut rank) };
        self.check("MPI_Comm_rank", code)?;
        // SAFETY: as above.
        let code = unsafe { (self.functions.comm_size)(self.constants.world, &mut size) };
        self.check("MPI_Comm_size", code)?;
        Ok((rank as usize, size as usize))
    }

    /// Begins to gather the same number of bytes from each of `size` ranks, which is the number of all.
    pub fn gather(&self, mine: Vec<u8>, size: usize) -> Result<Pending<H>, Error> {
        let length = mine.len();
        let count = int(length)?;
        let mut pending = Pending::new(mine, vec![0; length * size]);
        let Constants { world, byte, .. } = self.constants;
        // SAFETY: the buffers hold `length` and `size * length` bytes, stay in place, and are freed only once the operation is
        // complete: see `Pending`.
        let code = unsafe {
            let (from, to) = (
                pending.sent.as_ptr().cast(),
                pending.received.as_mut_ptr().cast(),
            );
            (self.functions.iallgather)(
                from,
                count,
                byte,
                to,
                count,
                byte,
                world,
                &mut pending.request,
            )
        };
        self.begun("MPI_Iallgather", code, pending)
    }

    /// Begins to gather `lengths` bytes from the ranks, which are all ranks in their order.
    pub fn gather_each(&self, mine: Vec<u8>, lengths: &[usize]) -> Result<Pending<H>, Error> {
        let count = int(mine.len())?;
        let (mut counts, mut places, mut all) = (Vec::new(), Vec::new(), 0);
        for &length in lengths {
            counts.push(int(length)?);
            places.push(int(all)?);
            all += length;
        }
        counts.append(&mut places);
        let mut pending = Pending::new(mine, vec![0; all]);
        *pending.counts = counts;
        let Constants { world, byte, .. } = self.constants;
        // SAFETY: the buffers hold as many bytes as this rank and all ranks hand over, and `counts` has a count and a place of each
        // rank. They stay in place, and are freed only once the operation is complete: see `Pending`.
        let code = unsafe {
            let (counts, places) = pending.counts.split_at(lengths.len());
            (self.functions.iallgatherv)(
                pending.sent.as_ptr().cast(),
                count,
                byte,
                pending.received.as_mut_ptr().cast(),
                counts.as_ptr(),
                places.as_ptr(),
                byte,
                world,
                &mut pending.request,
            )
        };
        self.begun("MPI_Iallgatherv", code, pending)
    }

    /// Begins to send a byte to a rank.
    pub fn send(&self, byte: u8, to: usize) -> Result<Pending<H>, Error> {
        let mut pending = Pending::new(vec![byte], Vec::new());
        // SAFETY: the buffer holds one byte, and is freed only once the operation is complete.
        let code = unsafe {
            let from = pending.sent.as_ptr().cast();
            let Constants { world, byte, .. } = self.constants;
            (self.functions.isend)(from, 1, byte, to as c_int, TAG, world, &mut pending.request)
        };
        self.begun("MPI_Isend", code, pending)
    }

    /// Begins to receive a byte from a rank.
    pub fn receive(&self, from: usize) -> Result<Pending<H>, Error> {
        let mut pending = Pending::new(Vec::new(), vec![0]);
        // SAFETY: the buffer holds one byte, and is freed only once the operation is complete.
        let code = unsafe {
            let to = pending.received.as_mut_ptr().cast();
            let Constants { world, byte, .. } = self.constants;
            (self.functions.irecv)(to, 1, byte, from as c_int, TAG, world, &mut pending.request)
        };
        self.begun("MPI_Irecv", code, pending)
    }

    fn begun(&self, name: &str, code: c_int, mut pending: Pending<H>) -> Result<Pending<H>, Error> {
        pending.complete = code != 0;
        self.check(name, code)?;
        Ok(pending)
    }

    /// Returns whether an operation is complete. Makes all others progress too.
    pub fn test(&self, pending: &mut Pending<H>) -> Result<bool, Error> {
        if !pending.complete {
            let mut flag = 0;
            // SAFETY: the request was begun and is not complete; no status is written.
            let code = unsafe {
                (self.functions.test)(&mut pending.request, &mut flag, self.constants.ignore)
            };
            self.check("MPI_Test", code)?;
            pending.complete = flag != 0;
        }
        Ok(pending.complete)
    }

    /// Ends the job with an exit code. Returns only if the library fails to.
    pub fn abort(&self, code: u8) {
        // SAFETY: MPI is initialised and not finalised: `finalize` takes `self`.
        unsafe { (self.functions.abort)(self.constants.world, c_int::from(code)) };
    }

    /// Ends MPI. No operation may be pending, on any rank.
    pub fn finalize(self) -> Result<(), Error> {
        // SAFETY: MPI is initialised, and by taking `self` this is the last call.
        let code = unsafe { (self.functions.finalize)() };
        if code == 0 {
            return Ok(());
        }
        Err(Error::Ranks(format!(
            "MPI_Finalize failed with code {code}"
        )))
    }

    fn check(&self, name: &str, code: c_int) -> Result<(), Error> {
        if code == 0 {
            return Ok(());
        }
        let mut text = [0_u8; TEXT];
        let mut length = 0;
        // SAFETY: writes fewer than TEXT bytes; may be called at any time.
        unsafe { (self.functions.error_string)(code, text.as_mut_ptr().cast(), &mut length) };
        let text = CStr::from_bytes_until_nul(&text)
            .unwrap_or_default()
            .to_string_lossy();
        Err(Error::Ranks(format!("{name} failed: {}", one_line(&text))))
    }
}

/// Returns a number of bytes as MPI counts them.
fn int(bytes: usize) -> Result<c_int, Error> {
    c_int::try_from(bytes).map_err(|_| {
        Error::Usage(format!(
            "ranks hand over {bytes} bytes: a gather takes 2147483647 at most"
        ))
    })
}

/// An operation under way, with the buffers that MPI reads and writes until it is complete. Dropped before that, it leaves them in
/// memory for ever.
pub struct Pending<H> {
    request: H,
    sent: ManuallyDrop<Vec<u8>>,
    received: ManuallyDrop<Vec<u8>>,
    /// Of a gather from each rank the counts of bytes, and then their places.
    counts: ManuallyDrop<Vec<c_int>>,
    complete: bool,
}

impl<H: Handle> Pending<H> {
    fn new(sent: Vec<u8>, received: Vec<u8>) -> Self {
        Pending {
            request: H::NONE,
            sent: ManuallyDrop::new(sent),
            received: ManuallyDrop::new(received),
            counts: ManuallyDrop::default(),
            complete: false,
        }
    }

    /// Takes the bytes that were received; `None` if the operation is not complete.
    pub fn received(&mut self) -> Option<Vec<u8>> {
        self.complete.then(|| std::mem::take(&mut *self.received))
    }
}

impl<H> Drop for Pending<H> {
    fn drop(&mut self) {
        if self.complete {
            // SAFETY: MPI is done with them, and nothing uses them after this.
            unsafe {
                ManuallyDrop::drop(&mut self.sent);
                ManuallyDrop::drop(&mut self.received);
                ManuallyDrop::drop(&mut self.counts);
            }
        }
    }
}

/// Ends this process without running anything else.
pub fn exit(code: u8) -> ! {
    unsafe extern "C" {
        fn _exit(code: c_int) -> !;
    }
    // SAFETY: ends the process, from any thread.
    unsafe { _exit(c_int::from(code)) }
}
