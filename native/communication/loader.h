#pragma once

#include "communication/communicator.h"

namespace jcs::communication {

/// Opens libjcs_mpi.so, which lies beside the binary that this code is in, and joins the processes that were started
/// together (`mpirun`); alone, a process is the only rank. The same communicator every time, which lives as long as the
/// process. Throws MPI_UNAVAILABLE saying what is missing and what to do.
Communicator& openCommunicator();

}  // namespace jcs::communication
