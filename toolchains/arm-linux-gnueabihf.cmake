# arm-linux-gnueabihf: packages g++-arm-linux-gnueabihf and qemu-user (Debian). Programs run under QEMU.
set(NTKROB_DEVICE armhf)
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR arm)
set(CMAKE_C_COMPILER arm-linux-gnueabihf-gcc)
set(CMAKE_CXX_COMPILER arm-linux-gnueabihf-g++)
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-arm -L /usr/arm-linux-gnueabihf)
set(CMAKE_FIND_ROOT_PATH /usr/arm-linux-gnueabihf)
# Libraries that are headers alone (Eigen, CLI11, nlohmann-json) are those of this machine, after all of the target's.
set(CMAKE_C_FLAGS_INIT "-idirafter /usr/include")
# Nothing here is linked with code of a compiler before GCC 7.1, whose ABI the notes are about.
set(CMAKE_CXX_FLAGS_INIT "-idirafter /usr/include -Wno-psabi")
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
