# ntkrob_optional(OPTION PACKAGE [find_package arguments ...])
#
# Looks for a package according to a cache option NTKROB_WITH_<X> with the values AUTO, ON and OFF, and sets
# NTKROB_HAVE_<X> in the caller's scope: AUTO takes what is there, ON is an error when it is missing, OFF does not look.
# A macro, so that the variables of the find module (BLAS_LIBRARIES, ...) reach the caller.
#
#   ntkrob_optional(NTKROB_WITH_HDF5 HDF5 COMPONENTS C)
#   if(NTKROB_HAVE_HDF5) ...

macro(ntkrob_optional option package)
  string(REPLACE "_WITH_" "_HAVE_" ntkrob_have "${option}")
  set(${ntkrob_have} OFF)
  string(TOUPPER "${${option}}" ntkrob_wanted)
  if(NOT ntkrob_wanted MATCHES "^(AUTO|ON|OFF|TRUE|FALSE|YES|NO|1|0)$")
    message(FATAL_ERROR "${option} is \"${${option}}\", must be AUTO, ON or OFF")
  endif()
  if(ntkrob_wanted STREQUAL "AUTO" OR (${option}))
    find_package(${package} QUIET ${ARGN})
    if(${package}_FOUND)
      set(${ntkrob_have} ON)
      message(STATUS "${option}=${${option}}: ${package} found ${${package}_VERSION}")
      # How the package configuration file finds it again (package.cmake).
      string(TOLOWER "${package}" ntkrob_key)
      string(REPLACE ";" " " ntkrob_find "${package};${ARGN}")
      set_property(GLOBAL PROPERTY ntkrob_find_${ntkrob_key} "${ntkrob_find}")
    elseif(NOT ntkrob_wanted STREQUAL "AUTO")
      message(FATAL_ERROR "${option}=${${option}}, but ${package} was not found: install it, or set ${option}=OFF")
    else()
      message(STATUS "${option}=AUTO: ${package} not found, building without it")
    endif()
  else()
    message(STATUS "${option}=OFF: building without ${package}")
  endif()
endmacro()
