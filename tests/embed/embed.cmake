# The installed package, as a user of it.
if(CULVERT_TESTS AND NOT CULVERT_SANITIZE AND NOT CULVERT_FUZZ)
  add_test(NAME embed COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/embed/run ${PROJECT_BINARY_DIR})
  set_tests_properties(embed PROPERTIES LABELS embed TIMEOUT 300 SKIP_RETURN_CODE 77)
endif()
