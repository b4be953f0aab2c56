//! Where the networks run.

use candle_core::Device;
use thiserror::Error;

use crate::words::words;

/// Where the user wants the networks to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DeviceChoice {
    /// CUDA where it is built in and works, else Metal likewise, else the processor.
    #[default]
    Auto,
    /// The processor.
    Cpu,
    /// The first CUDA device.
    Cuda,
    /// The first Metal device.
    Metal,
}

/// Why the wanted device cannot be had.
#[derive(Debug, Error)]
pub enum DeviceError {
    /// This build does not contain the back end.
    #[error("this build has no {0} support; build with `--features {0}`, or choose cpu")]
    NotBuiltIn(&'static str),
    /// The back end is there, the device is not.
    #[error("no {name} device: {reason}; choose cpu, or auto to take what is there")]
    Unavailable {
        /// Back end.
        name: &'static str,
        /// What it said, in one line.
        reason: String,
    },
}

impl DeviceChoice {
    /// Opens the device.
    ///
    /// # Errors
    /// If a device was asked for by name that this build or this machine does not have; [`Self::Auto`] always finds one.
    pub fn open(self) -> Result<Device, DeviceError> {
        match self {
            Self::Cpu => Ok(Device::Cpu),
            Self::Cuda => open_cuda(),
            Self::Metal => open_metal(),
            Self::Auto => Ok(open_cuda().or_else(|_| open_metal()).unwrap_or(Device::Cpu)),
        }
    }
}

words!(DeviceChoice, "device", [Auto "auto", Cpu "cpu", Cuda "cuda", Metal "metal"]);

fn open_cuda() -> Result<Device, DeviceError> {
    if !cfg!(feature = "cuda") {
        return Err(DeviceError::NotBuiltIn("cuda"));
    }
    Device::new_cuda(0).map_err(|error| unavailable("CUDA", &error))
}

fn open_metal() -> Result<Device, DeviceError> {
    if !cfg!(feature = "metal") {
        return Err(DeviceError::NotBuiltIn("metal"));
    }
    Device::new_metal(0).map_err(|error| unavailable("Metal", &error))
}

/// Without the backtrace that Candle appends.
fn unavailable(name: &'static str, error: &candle_core::Error) -> DeviceError {
    let reason = error.to_string().lines().next().unwrap_or_default().to_owned();
    DeviceError::Unavailable { name, reason }
}

/// The word for an open device: `cpu`, `cuda` or `metal`.
#[must_use]
pub(crate) fn device_name(device: &Device) -> &'static str {
    match device {
        Device::Cpu => "cpu",
        Device::Cuda(_) => "cuda",
        Device::Metal(_) => "metal",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_that_is_not_built_in_is_refused_with_the_way_out() {
        #[cfg(not(feature = "cuda"))]
        {
            let message = DeviceChoice::Cuda.open().expect_err("not built in").to_string();
            assert_eq!(message, "this build has no cuda support; build with `--features cuda`, or choose cpu");
        }
        #[cfg(not(feature = "metal"))]
        assert!(matches!(DeviceChoice::Metal.open(), Err(DeviceError::NotBuiltIn("metal"))));
        assert!("tpu".parse::<DeviceChoice>().is_err());
        assert_eq!("CPU".parse::<DeviceChoice>().expect("a device"), DeviceChoice::Cpu);
    }

    #[test]
    fn auto_always_opens_something() {
        let device = DeviceChoice::Auto.open().expect("the processor at least");
        assert!(["cpu", "cuda", "metal"].contains(&device_name(&device)));
    }
}
