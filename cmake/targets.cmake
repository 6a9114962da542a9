# How a target of culvert is compiled. Flags belong to targets, so that a project that contains culvert keeps its own.
#
#   culvert_build     warnings and sanitizers: every target
#   culvert_packets   optimization of the hot path: proto, io and engine
#   culvert_rest      optimization of everything else
#   culvert_lto       link options of programs whose hot path is to be fast
add_library(culvert_build INTERFACE)
target_compile_options(culvert_build INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wconversion
  -Wno-sign-conversion -Wnon-virtual-dtor -Woverloaded-virtual -Wimplicit-fallthrough
  # g++ 12 sees overlaps in "text" + std::string (GCC bug 105651). A type of an unnamed namespace within a member type
  # is one file's, also where several files are compiled as one.
  $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict -Wno-subobject-linkage>
  $<$<BOOL:${CULVERT_WERROR}>:-Werror>)
if(CULVERT_SANITIZE)
  target_compile_options(culvert_build INTERFACE -fsanitize=${CULVERT_SANITIZE} -fno-omit-frame-pointer
    -fno-sanitize-recover=all)
  target_link_options(culvert_build INTERFACE -fsanitize=${CULVERT_SANITIZE})
  if(CULVERT_SANITIZE MATCHES thread AND CMAKE_CXX_COMPILER_ID STREQUAL GNU)
    # Boost.Asio's fences, of which g++ warns that thread sanitizing does not see them. The control side that it runs
    # is one thread; the workers share by atomics alone.
    target_compile_options(culvert_build INTERFACE -Wno-tsan)
  endif()
endif()

# The ordinary build: -O3 for packets, -O2 and line tables for everything else; assertions stay. Check, for sanitizers:
# packets optimized a little, everything else not at all, which compiles in half the time. Other build types have their
# own flags.
add_library(culvert_packets INTERFACE)
target_compile_options(culvert_packets INTERFACE $<$<CONFIG:RelWithDebInfo>:-O3 -UNDEBUG> $<$<CONFIG:Check>:-O1 -g1>)
add_library(culvert_rest INTERFACE)
target_compile_options(culvert_rest INTERFACE $<$<CONFIG:RelWithDebInfo>:-O2 -g1 -UNDEBUG> $<$<CONFIG:Check>:-O0 -g1>)

# What a fuzzer is to find its way through, and quickly: the libraries, and what is inline in its own source.
add_library(culvert_coverage INTERFACE)
if(CULVERT_FUZZ)
  target_compile_options(culvert_coverage INTERFACE -fsanitize=fuzzer-no-link $<$<CONFIG:Check>:-O1>)
endif()

# The libraries of the hot path hold both: code as ever, for tests and for embedders, and the form from which g++
# optimizes them together with the program that links them.
add_library(culvert_lto INTERFACE)
if(CULVERT_LTO AND CMAKE_CXX_COMPILER_ID STREQUAL GNU AND NOT CULVERT_SANITIZE AND NOT CULVERT_FUZZ)
  target_compile_options(culvert_packets INTERFACE -flto=auto -ffat-lto-objects)
  target_link_options(culvert_lto INTERFACE -flto=auto)
  set(culvert_no_lto -fno-lto)  # for tests: each would be optimized anew
endif()

# Language, warnings and the include path from the root of the tree; FLAGS: culvert_packets or culvert_rest.
function(culvert_target target flags)
  target_compile_features(${target} PUBLIC cxx_std_20)
  set_target_properties(${target} PROPERTIES CXX_EXTENSIONS OFF POSITION_INDEPENDENT_CODE ON)
  target_include_directories(${target} PUBLIC $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}>)
  target_link_libraries(${target} PRIVATE $<BUILD_INTERFACE:culvert_build> $<BUILD_INTERFACE:${flags}>)
endfunction()

# Compiles the files of each room as one. ALONE: files that are compiled by themselves, because names of their own, or
# the system's headers that they include (linux/if.h beside net/if.h), do not go with those of the room's other files.
function(culvert_unity target)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "ALONE")
  if(NOT CULVERT_UNITY)
    return()
  endif()
  set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_MODE GROUP)
  get_target_property(sources ${target} SOURCES)
  foreach(source ${sources})
    get_filename_component(room ${source} DIRECTORY)
    file(RELATIVE_PATH room ${PROJECT_SOURCE_DIR} ${room})
    string(REPLACE / _ room ${room})
    set_source_files_properties(${source} PROPERTIES UNITY_GROUP ${room})
  endforeach()
  list(TRANSFORM arg_ALONE PREPEND ${PROJECT_SOURCE_DIR}/)
  set_source_files_properties(${arg_ALONE} PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
endfunction()

# Adds the library culvert_NAME, exported as culvert::NAME, of all .cc files of its rooms, which are folders from the
# root of the tree. PACKETS: it is on the hot path. ALONE: see culvert_unity.
function(culvert_library name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "PACKETS" "" "ROOMS;ALONE")
  list(TRANSFORM arg_ROOMS PREPEND ${PROJECT_SOURCE_DIR}/)
  list(TRANSFORM arg_ROOMS APPEND /*.cc)
  file(GLOB sources CONFIGURE_DEPENDS ${arg_ROOMS})
  add_library(culvert_${name} ${sources})
  add_library(culvert::${name} ALIAS culvert_${name})
  # While the version is 0.x a new minor version may break the ABI, so it is part of the SONAME.
  set_target_properties(culvert_${name} PROPERTIES EXPORT_NAME ${name} VERSION ${PROJECT_VERSION}
    SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})
  if(arg_PACKETS)
    culvert_target(culvert_${name} culvert_packets)
  else()
    culvert_target(culvert_${name} culvert_rest)
  endif()
  target_include_directories(culvert_${name} PUBLIC $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}/culvert>)
  target_link_libraries(culvert_${name} PRIVATE $<BUILD_INTERFACE:culvert_coverage>)
  culvert_unity(culvert_${name} ALONE ${arg_ALONE})
endfunction()

# Installs a program, stripped: its debug information is for the build folder.
function(culvert_install_program target)
  install(TARGETS ${target} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
  if(CMAKE_STRIP)
    install(CODE "execute_process(COMMAND \"${CMAKE_STRIP}\"
      \"\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_BINDIR}/${target}\")")
  endif()
endfunction()
